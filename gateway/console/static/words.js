// The texts of the page, in two languages.

import { REASONS } from "./reasons.js";

const EN = {
  title: "Console", leave: "Sign out", other: "中文", enter: "Operator's console",
  enterHint: "It needs one of the keys that ADMIN_KEYS_FILE lists. The key stays in this tab.",
  key: "Admin key", open: "Open", wrongKey: "That is none of the admin keys.",
  tooMany: (s) => `Too many wrong keys from this address, or too many consoles. Try again in ${s} s.`,
  off: "The console is off at this gateway.",
  connecting: "Connecting …", live: (name) => `Live, as ${name}`, away: "Redis doesn't answer",
  lost: (s) => `Connection lost, trying again in ${s} s`,
  accounts: "Accounts", addAccount: "Add cookies", charts: "The last hours", range: "Range", oneHour: "1 h", sixHours: "6 h",
  answers: "Waiting and running", workers: "Workers", gateways: "Gateways", events: "What happened",
  cancel: "Cancel", next: "Continue", working: "Working …",
  addHint: "Paste an export in any usual form: JSON of an extension, cookies.txt, a Cookie header, a cURL command. It goes to a worker that may write its folder, and is shown to nobody.",
  addName: "Account", addExport: "Cookie export",
  addAsk: (name) => [`Hand in cookies for ${name}?`, `A worker adds the account ${name}, or replaces its cookies, which makes it ready again.`, "Hand in"],
  addDone: (name) => `Submitted for ${name}: the log below shows the result.`,
  none: "–", never: "never", now: "now", unknown: "unknown", noAccounts: "No worker has reported an account yet.",
  noAnswers: "Nothing waits or runs.", noProcesses: "None has spoken yet.", noEvents: "Nothing has happened yet.",
  account: "Account", models: "Models", more: (n) => `and ${n} more`,
  risks: (all) => `A fail-over of Redis is not safe. ${all.join("; ")}.`,
  disputed: (names) => `Workers have different accounts files${names.length ? `: ${names.join(", ")}` : " (aliases)"}. The newest file counts; give all workers the same one.`,
  state: "State", today: "Last 24 h", flying: "In flight", failures: "Failures in a row",
  expires: "Cookie expires", weight: "Weight", actions: "Actions", name: "Name", version: "Version", load: "Load",
  heard: "Heartbeat", streams: "Streams", sockets: "Sockets", id: "Answer", since: "Age", worker: "Worker", kind: "Kind",
  seq: "Events", when: "When", what: "What",
  chat: "chat", image: "picture", call: "call", ready: "ready", cooling: "cooling", quarantined: "quarantined", dead: "dead", paused: "paused",
  up: "up", draining: "draining", QUEUED: "waiting", CLAIMED: "taken", SENT: "asked", STREAMING: "streaming",
  noWorker: "no worker has it", pictures: "Pictures", trial: "the next question tries it",
  back: (clock, wait) => `back at ${clock}, ${wait}`, of: (n, m) => `${n} of ${m}`, slots: (n, m) => `${n} of ${m} slots`,
  silent: (s) => `silent for ${s}`,
  pause: "Pause", resume: "Resume", release: "Release", reset: "Reset", cookies: "New cookies", stop: "Stop",
  pauseAsk: (n) => [`Pause ${n}?`, "It gets no new questions. Those that run continue.", "Pause"],
  resumeAsk: (n) => [`Resume ${n}?`, "It may be asked again.", "Resume"],
  releaseAsk: (n) => [`Release ${n}?`, "It returns now: one question tries it, and if that goes well, all may ask it.", "Release"],
  resetAsk: (n) => [`Reset ${n}?`, "It becomes ready, as if nothing had happened: pause, failures and today's count are forgotten.", "Reset"],
  stopAsk: (n) => [`Stop answer ${n}?`, "It ends with the text so far, and its conversation begins afresh.", "Stop it"],
  done: (what) => `Done: ${what}`, gone: "It is no longer there.", failed: (m) => `It was not done: ${m}`,
  queueLine: (n, age, wait) => (n ? `${n} waiting, the oldest for ${age}; a newcomer would wait about ${wait}` : "The queue is empty"),
  longestLine: (n, client, age) => `; ${n} clients, ${client || "one without a name"} for the longest time: ${age}`,
  fReady: "Accounts ready", fSlots: "Free slots", fFree: "Could begin at once", fQueue: "In the queue", fClients: "Clients waiting", fRunning: "Running", fStore: "Redis used", percent: (n) => `${n} %`, fRate: "Answers a minute", fText: "First text, median",
  fFailed: "Failed in 15 min", fLimited: "Over a client's limit in 15 min",
  cAnswers: "Answers a second", cText: "Time to first text, s", cFailed: "Failures", cRefused: "Refusals", cTokens: "Tokens by model", cSlots: "Capacity left: free slots", cReady: "Capacity left: accounts",
  sDone: "done", sFailed: "failed", sStopped: "stopped", sMedian: "median", sSlow: "95th percentile", sFree: "free", sUsed: "used",
  sReady: "ready", sAll: "all", other_: "others", perBin: (m) => (m === 1 ? "by the minute" : `in steps of ${m} min`),
  asTable: "As a table", time: "Time", noData: "None in this time",
  pair: (name, value) => `${name}: ${value}`, figure: (title, curves) => `${title}. ${curves.join("; ")}`,
  curve: (name, latest, most) => `${name}: latest ${latest}, most ${most}`,
  eAccount: (f, w) => (f.before ? `${f.name}: ${w(f.before)} → ${w(f.state)}` : `${f.name} is there: ${w(f.state)}`),
  eCookie: (f) => `${f.name} has new cookies`, eOrder: (f, w) => `${f.name}: ${w(f.order)} → ${w(f.state)}`,
  eExport: (f) => `cookies for ${f.name} were handed in`, eAdded: (f) => `the cookies for ${f.name} were taken`,
  eRefused: (f) => `the cookies for ${f.name} were not taken: ${f.reason}`, eStop: (f) => `answer ${f.name} was stopped`,
  eProcess: { up: "is up", draining: "is draining", gone: "has left", dead: "went silent" }, oneGateway: "gateway", oneWorker: "worker", ofPictures: (n) => `${n} (pictures)`,
  by: (n) => `by ${n || "the command line"}`, until: (t) => `until ${t}`,
};

const ZH = {
  title: "控制台", leave: "退出", other: "English", enter: "运维控制台",
  enterHint: "需要 ADMIN_KEYS_FILE 中列出的密钥。密钥只保存在本标签页。",
  key: "管理密钥", open: "打开", wrongKey: "不是有效的管理密钥。",
  tooMany: (s) => `该地址输错次数过多，或打开的控制台过多，请在 ${s} 秒后再试。`,
  off: "此网关未启用控制台。",
  connecting: "连接中…", live: (name) => `实时，身份：${name}`, away: "Redis 无响应",
  lost: (s) => `连接中断，${s} 秒后重试`,
  accounts: "账号", addAccount: "添加 cookie", charts: "最近几小时", range: "时间范围", oneHour: "1 小时", sixHours: "6 小时",
  answers: "排队与进行中", workers: "Worker", gateways: "网关", events: "事件",
  cancel: "取消", next: "继续", working: "处理中…",
  addHint: "粘贴任意常见格式的导出：扩展的 JSON、cookies.txt、Cookie 请求头、cURL 命令。内容只交给可写其目录的 worker，不会显示给任何人。",
  addName: "账号名", addExport: "cookie 导出",
  addAsk: (name) => [`提交 ${name} 的 cookie？`, `worker 将添加账号 ${name}，或替换其 cookie 并使其恢复可用。`, "提交"],
  addDone: (name) => `已提交 ${name}，结果见下方事件。`,
  none: "–", never: "从未", now: "刚刚", unknown: "未知", noAccounts: "尚无 worker 报告账号。",
  noAnswers: "没有排队或进行中的回答。", noProcesses: "尚无报告。", noEvents: "尚无事件。",
  account: "账号", models: "模型", more: (n) => `另有 ${n} 个`,
  risks: (all) => `Redis 故障切换不安全：${all.join("; ")}。`,
  disputed: (names) => `各 worker 的账号文件不一致${names.length ? `：${names.join("、")}` : "（别名）"}。以最新的文件为准，请让所有 worker 使用同一份。`,
  state: "状态", today: "近 24 小时", flying: "进行中", failures: "连续失败",
  expires: "cookie 到期", weight: "权重", actions: "操作", name: "名称", version: "版本", load: "负载",
  heard: "心跳", streams: "流", sockets: "套接字", id: "回答", since: "时长", worker: "Worker", kind: "类型",
  seq: "事件数", when: "时间", what: "内容",
  chat: "聊天", image: "图片", call: "调用", ready: "可用", cooling: "冷却中", quarantined: "隔离", dead: "失效", paused: "已暂停",
  up: "运行中", draining: "排空中", QUEUED: "排队", CLAIMED: "已领取", SENT: "已提问", STREAMING: "输出中",
  noWorker: "没有 worker 持有", pictures: "图片", trial: "下一个问题将试用它",
  back: (clock, wait) => `${clock} 恢复，${wait}`, of: (n, m) => `${n} / ${m}`, slots: (n, m) => `${n} / ${m} 槽位`,
  silent: (s) => `静默 ${s}`,
  pause: "暂停", resume: "恢复", release: "放行", reset: "重置", cookies: "换 cookie", stop: "停止",
  pauseAsk: (n) => [`暂停 ${n}？`, "不再接收新问题，进行中的会继续。", "暂停"],
  resumeAsk: (n) => [`恢复 ${n}？`, "可以再次提问。", "恢复"],
  releaseAsk: (n) => [`放行 ${n}？`, "立即返回：先用一个问题试用，成功后全部恢复。", "放行"],
  resetAsk: (n) => [`重置 ${n}？`, "视同从未发生：暂停、失败与今日计数都会清除，状态变为可用。", "重置"],
  stopAsk: (n) => [`停止回答 ${n}？`, "以目前的文字结束，其会话将重新开始。", "停止"],
  done: (what) => `已完成：${what}`, gone: "已不存在。", failed: (m) => `未完成：${m}`,
  queueLine: (n, age, wait) => (n ? `${n} 个排队，最久 ${age}；新来者约等 ${wait}` : "队列为空"),
  longestLine: (n, client, age) => `；${n} 个客户端，等待最久的是 ${client || "未具名者"}：${age}`,
  fReady: "可用账号", fSlots: "空闲槽位", fFree: "可立即开始", fQueue: "排队", fClients: "等待的客户端", fRunning: "进行中", fStore: "Redis 已用", percent: (n) => `${n} %`, fRate: "每分钟回答", fText: "首字中位数",
  fFailed: "15 分钟内失败", fLimited: "15 分钟内客户端超限",
  cAnswers: "每秒回答数", cText: "首字时间（秒）", cFailed: "失败", cRefused: "拒绝", cTokens: "各模型的 token 数", cSlots: "剩余容量：空闲槽位", cReady: "剩余容量：账号",
  sDone: "完成", sFailed: "失败", sStopped: "停止", sMedian: "中位数", sSlow: "95 分位", sFree: "空闲", sUsed: "占用",
  sReady: "可用", sAll: "全部", other_: "其他", perBin: (m) => (m === 1 ? "每分钟" : `每 ${m} 分钟`),
  asTable: "以表格显示", time: "时间", noData: "此段时间内没有",
  pair: (name, value) => `${name}：${value}`, figure: (title, curves) => `${title}。${curves.join("；")}`,
  curve: (name, latest, most) => `${name}：最新 ${latest}，最高 ${most}`,
  eAccount: (f, w) => (f.before ? `${f.name}：${w(f.before)} → ${w(f.state)}` : `${f.name} 已加入：${w(f.state)}`),
  eCookie: (f) => `${f.name} 换了新 cookie`, eOrder: (f, w) => `${f.name}：${w(f.order)} → ${w(f.state)}`,
  eExport: (f) => `已提交 ${f.name} 的 cookie`, eAdded: (f) => `${f.name} 的 cookie 已采用`,
  eRefused: (f) => `${f.name} 的 cookie 未被采用：${f.reason}`, eStop: (f) => `回答 ${f.name} 已停止`,
  eProcess: { up: "已启动", draining: "排空中", gone: "已退出", dead: "失去联系" }, oneGateway: "网关", oneWorker: "worker", ofPictures: (n) => `${n}（图片）`,
  by: (n) => `操作者：${n || "命令行"}`, until: (t) => `直到 ${t}`,
};

// Shorter words for some reasons than clients get.
const SHORT = {
  "account.throttled": ["out of quota", "配额用尽"], "account.captcha": ["wants a captcha solved", "需要人工验证"],
  "account.unauthorized": ["not signed in", "未登录"], "account.refused": ["refused by the upstream", "被上游拒绝"],
  "account.none": ["no account", "没有账号"], "queue.full": ["queue full", "队列已满"],
  "queue.timeout": ["waited too long", "排队超时"], "worker.none": ["no worker", "没有 worker"],
  "client.limit": ["client at its limit", "客户端超限"], "client.bytes": ["client keeps too much", "客户端占用过多"],
  "client.daily": ["client's day used up", "客户端当日次数用完"],
  "store.full": ["Redis full", "Redis 已满"], "store.unavailable": ["Redis away", "Redis 不可用"],
  "upstream.internal": ["error at the upstream", "上游内部错误"],
  "upstream.protocol": ["upstream not understood", "上游内容无法识别"], "transport.connect": ["can't connect", "无法连接"],
  "transport.closed": ["connection cut", "连接中断"], "timeout.connect": ["connecting took too long", "连接超时"],
  "timeout.first": ["no first text in time", "首字超时"], "timeout.idle": ["fell silent", "输出停顿超时"],
  "timeout.total": ["took too long", "总时长超限"], interrupted: ["interrupted", "被中断"],
  "state.lost": ["state lost", "状态丢失"], "session.expired": ["session expired", "会话过期"], other: ["other", "其他"],
  "request.toolong": ["question too long", "问题过长"],
  "key.length": ["Idempotency-Key too short or too long", "Idempotency-Key 太短或太长"],
};

const KEPT = "console-language";
let chinese = (localStorage.getItem(KEPT) ?? navigator.language).toLowerCase().startsWith("zh");

/** The words of the language that is chosen. */
export let w = chinese ? ZH : EN;

/** A reason as text. */
export const reason = (code) => SHORT[code]?.[chinese ? 1 : 0] ?? REASONS[chinese ? "zh" : "en"][code] ?? code;

export const locale = () => (chinese ? "zh-CN" : "en-GB");

/** The other language, from now on and at the next visit. */
export function switchLanguage() {
  chinese = !chinese;
  w = chinese ? ZH : EN;
  localStorage.setItem(KEPT, chinese ? "zh" : "en");
}

/** Call `changed()` when another tab has chosen the other language. */
export function onLanguage(changed) {
  addEventListener("storage", ({ key, newValue }) => {
    if (key !== KEPT || !newValue) return;
    chinese = newValue === "zh";
    w = chinese ? ZH : EN;
    changed();
  });
}

/** Put the words into the page's own elements. */
export function speak() {
  document.documentElement.lang = chinese ? "zh-CN" : "en";
  document.title = w.title;
  for (const element of document.querySelectorAll("[data-w]")) element.textContent = w[element.dataset.w];
}
