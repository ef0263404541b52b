"""The terminal events that don't depend on an answer: Lua scripts write them too."""

from wire.messages import Failed

INTERRUPTED = Failed(code=500, message="回答中断,请重新提问", reason="interrupted")
POISON = Failed(code=500, message="该问题多次使服务中断,已放弃", reason="poison")
CANCELLED = Failed(code=500, message="无人等待回答,问题已取消", reason="cancelled", reset=False)
STATE_LOST = Failed(code=500, message="服务数据丢失,请重新提问", reason="state.lost")
SESSION_CLOSED = Failed(code=500, message="会话已关闭", reason="session.closed")

# By their names in the scripts.
BY_NAME = {
    "interrupted": INTERRUPTED,
    "poison": POISON,
    "cancelled": CANCELLED,
    "state_lost": STATE_LOST,
    "session_closed": SESSION_CLOSED,
}
