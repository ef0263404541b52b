"""What the upstream does wrong, told apart by a typed reason.

`refused` errors are explicit refusals before any text: a further attempt is allowed, on another account or, for
`session.expired` and `session.toolong`, in a fresh conversation of the same account. Everything else is final, since
the question may have been answered, and paid for, upstream.
"""

ACCOUNT_REASONS = frozenset({"account.throttled", "account.captcha", "account.unauthorized", "account.refused"})
FRESH_SESSION_REASONS = frozenset({"session.expired", "session.toolong"})

# Every reason, with the sentence that a client sees.
REASONS = {
    "account.throttled": "已上限,24小时后尝试",
    "account.captcha": "上游账号需要人工验证",
    "account.unauthorized": "上游账号未登录或无权限",
    "account.refused": "上游拒绝了该账号",
    "account.none": "没有可用的上游账号",
    "session.expired": "上游会话已过期",
    "session.toolong": "对话内容超过了上游的长度限制",
    "session.limit": "本轮对话已达上限",
    "session.disengaged": "上游结束了本轮对话",
    "question.refused": "上游拒绝了这个问题",
    "answer.empty": "上游没有给出回答",
    "upstream.internal": "上游内部错误",
    "upstream.protocol": "上游返回了无法识别的内容",
    "transport.connect": "无法连接上游",
    "transport.upgrade": "上游拒绝了连接",
    "transport.closed": "上游中断了连接",
    "transport.toobig": "上游返回的内容过大",
    "timeout.connect": "连接上游超时",
    "timeout.first": "等待上游回答超时",
    "timeout.idle": "上游回答中断超时",
    "timeout.total": "回答超过了时间限制",
    "image.none": "没有能生成图片的上游账号",
    "image.blocked": "图片描述被屏蔽",
    "image.reviewed": "图片描述正在审核",
    "image.unsupported_lang": "图片描述的语言不受支持",
    "image.busy": "图片服务繁忙",
    "image.empty": "没有生成图片",
    "image.bad": "生成的图片不可用",
    "image.timeout": "生成图片超时",
    "image.protocol": "图片服务返回了无法识别的内容",
}


class UpstreamError(Exception):
    """A turn that failed upstream.

    `reason` is a key of REASONS; `detail` is the upstream's own wording, for the log; `refused` says that the upstream
    explicitly declined before any text, so that nothing was spent; `retry_after` is in seconds, where it was told.
    """

    retry_after: float | None = None

    def __init__(
        self, reason: str, detail: str = "", *, refused: bool = False, retry_after: float | None = None
    ) -> None:
        if reason not in REASONS:
            raise ValueError(f"unknown reason: {reason}")
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail
        self.refused = refused
        self.retry_after = retry_after

    @property
    def message(self) -> str:
        """The sentence for the client."""
        return REASONS[self.reason]
