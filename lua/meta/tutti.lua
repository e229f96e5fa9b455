-- SPDX-License-Identifier: MIT
---@meta tutti
-- Types of tutti for editors (lua-language-server) and for REFERENCE.md, which reference.lua makes of
-- this file. Nothing here runs. tests/check/meta.lua compares it with what `require "tutti"` gives.

-- Misuse (wrong types, unknown options) raises kind "usage" at the caller's line, everywhere; it is not
-- repeated below. What is marked `@async` may suspend the task, is a checkpoint, and raises the task's
-- own cancellation.

---@alias tutti.Duration number|string # seconds (0.25), or text such as "250ms", "1m30s", "2h"
---@alias tutti.Size integer|string # bytes, or text such as "64KiB", "1.5GB"
---@alias tutti.State "waiting"|"ready"|"running"|"suspended"|"done"|"failed"|"cancelled"|"skipped"
---@alias tutti.Failure "error"|"exit"|"io"|"timeout"|"cancelled"|"skipped"|"group"
---@alias tutti.Kind tutti.Failure|"cycle"|"missing"|"transfer"|"usage"
---@alias tutti.Element "u8"|"i32"|"i64"|"f32"|"f64"

--- A list { first, cap, factor, jitter }, whose end may be left out; by default { 0.1, 30, 2, 0.2 }: the
--- delays are first * factor^n up to the cap, less a random part of at most jitter of it. A duration
--- alone is always that.
---@class tutti.Backoff
---@field [integer] number|string

---@class tutti
local tutti = {}

-- ==== Options ====

--- Options of every task. In tutti.task and tutti.recipe the function is element 1 of the same table.
---@class tutti.TaskOptions
---@field name? string # for messages; by default FILE:LINE of the start
---@field after? tutti.Task[] # it starts when these have succeeded, with their first results
---@field on? "loop"|"pool" # where it runs (task, recipe); by default in the state that starts it
---@field args? any[] # its arguments (task, recipe); `n` counts trailing nils
---@field timeout? tutti.Duration # of each attempt, from its first run; ends it with kind "timeout"
---@field retry? integer|tutti.Retry # so many further attempts
---@field priority? "high"|"normal"|"low"
---@field detach? boolean # it belongs to the engine's root, not to the task that starts it
---@field run_on_skip? boolean # it runs when all of `after` have settled, and gets their handles

---@class tutti.Retry
---@field times? integer # further attempts
---@field backoff? tutti.Duration|tutti.Backoff # before each of them
---@field on? fun(err: tutti.Error): boolean # is there to be another? by default always

---@class tutti.GatherOptions
---@field cancel? boolean # false: the others are only no longer waited for

---@class tutti.ScopeOptions
---@field name? string
---@field timeout? tutti.Duration
---@field on_failure? "cancel"|"collect" # by default the first failure ends the scope
---@field limit? integer # so many of its tasks run at once; a spawn beyond that waits

---@class tutti.MapOptions: tutti.TaskOptions
---@field chunk? integer # elements sent at once
---@field limit? integer # chunks on their way at once
---@field on? "pool"|"loop" # by default the pool
---@field into? tutti.View # results go here, and the view is the task's result (map)
---@field combine? fun(a: any, b: any): any # joins the results of chunks (reduce); by default f

---@class tutti.ExecOptions
---@field [integer] string # PROGRAM, ARGUMENT, ...
---@field cwd? string
---@field env? table<string, string|number|false> # changes to the inherited environment; false takes away
---@field stdin? string|{ file: string }|tutti.ExecFrom|{ inherit: true } # by default empty
---@field stdout? "capture"|"inherit"|"null"|{ file: string, append?: boolean }|fun(line: string)
---@field stderr? "capture"|"inherit"|"null"|{ file: string, append?: boolean }|fun(line: string)
---@field timeout? tutti.Duration # then TERM, and KILL after `grace`; kind "timeout"
---@field check? boolean # false: a non-zero end is a result, not a failure
---@field capture? tutti.Size # bytes of each stream that are kept, by default 1 MiB
---@field grace? tutti.Duration # between TERM and KILL, by default 5 s
---@field name? string
---@field detach? boolean
---@field after? tutti.Task[]
---@field run_on_skip? boolean # run also if a task in `after` does not succeed
---@field priority? "high"|"normal"|"low" # which of those that are ready is started first
---@field retry? integer|tutti.Retry

--- What another task returned (its stdout, if that was a program), or { PROGRAM, ... }, which writes into
--- this program through a pipe of the kernel while both run.
---@class tutti.ExecFrom
---@field from tutti.Task|tutti.ExecOptions

---@class tutti.ExecResult
---@field code? integer # exit status; nil if a signal ended it
---@field signal? string # "SIGTERM"
---@field errno? string # "ENOENT": it could not be started
---@field stdout string
---@field stderr string
---@field elapsed number # seconds
---@field cpu_user? number # seconds of CPU time, also of the children it waited for
---@field cpu_system? number
---@field max_rss? integer # the most bytes that one of them had; nil: hidden by those of tutti itself
---@field pid? integer
---@field from? tutti.ExecResult # of the program that wrote into its stdin
---@field truncated boolean # more came than `capture`
---@field leaked boolean # it ended, but something it left behind held a stream open

---@class tutti.SupervisorOptions
---@field name? string
---@field strategy? "one_for_one"|"one_for_all"|"rest_for_one" # who is restarted with a child that failed
---@field stop_timeout? tutti.Duration # for stopping all children, by default 10 s

--- A child of a supervisor; element 1 is its function or recipe.
---@class tutti.ChildOptions
---@field name? string # by default the recipe's, or "child N"; unique among the children
---@field restart? "never"|"on_failure"|"always" # by default "never"
---@field max_restarts? integer|false # since the last healthy run, by default 5; false: any number
---@field healthy_after? tutti.Duration|false # such a run clears the count; by default 60 s
---@field backoff? tutti.Duration|tutti.Backoff # before each restart
---@field on_exit? "keep"|"shutdown"|"all" # what a normal end means ("all": of the last such child)
---@field on_giveup? "fail"|"drop"|"shutdown" # out of restarts; "fail": the supervisor
---@field stop_timeout? tutti.Duration # then it is killed, by default 5 s
---@field on? "loop"|"pool"
---@field args? any[]
---@field priority? "high"|"normal"|"low"
---@field timeout? tutti.Duration # of each of its runs
---@field retry? integer|tutti.Retry # attempts within one run

---@class tutti.Child
---@field name string
---@field state "running"|"backoff"|"stopping"|"stuck"
---@field restarts integer # since the last healthy run
---@field task tutti.Task # its latest run

---@class tutti.StopReport
---@field stopped string[] # names, in the order in which they ended
---@field killed string[] # did not end in time, and were ended by force
---@field stuck string[] # did not even end then; the supervisor still joins them

---@class tutti.TestingOptions
---@field seed? integer # by default 1
---@field name? string

--- What went wrong: one immutable object, the same for all who see it in a state. tostring shows it with
--- its place.
---@class tutti.Error
---@field kind tutti.Kind
---@field message string
---@field task? string # name of the task in which it began
---@field traceback string # joined: where it rose, what started the task, who awaited it
---@field value? any # kind "error": what was raised
---@field cause? tutti.Error # kind "skipped": the failure that came first; a supervisor's: the last failure
---@field errors? tutti.Error[] # kind "group": of the tasks; else what failed besides
---@field attempt? integer # which one failed
---@field reason? string # kind "cancelled"
---@field result? tutti.ExecResult # kind "exit"
---@field errno? string # kind "exit": why the program did not start
---@field code? string # kind "io": "ENOENT"
---@field path? string|string[] # kind "io": of the file; "cycle": the tasks in the circle

--- A task that has not settled, in the tree of tutti.tasks().
---@class tutti.Node
---@field id integer
---@field name string
---@field kind "task"|"scope"
---@field state tutti.State
---@field age number # seconds
---@field line? string # where its Lua code is, FILE:LINE
---@field started? string # where it was started
---@field waits_for? string # in words
---@field children tutti.Node[]
---@field task? tutti.Task

-- ==== Starting ====

--- Start f(...) as a coroutine of this Lua state; it runs after this call has returned. It sees upvalues
--- and globals.
---@nodiscard
---@param options tutti.TaskOptions # may be left out
---@param f function
---@param ... any # arguments of f
---@return tutti.Task
---@overload fun(f: function, ...: any): tutti.Task
function tutti.spawn(options, f, ...) end

--- Start f(...) on any core, in a worker's Lua state: f, its upvalues and the arguments are copied.
--- Raises kind "transfer" if one of them cannot cross.
---@nodiscard
---@param options tutti.TaskOptions # may be left out
---@param f function
---@param ... any
---@return tutti.Task
---@overload fun(f: function, ...: any): tutti.Task
function tutti.parallel(options, f, ...) end

--- The full form: tutti.task{ f, after = { t1, t2 }, on = "pool", args = { ... } }.
---@nodiscard
---@param spec tutti.TaskOptions
---@return tutti.Task
function tutti.task(spec) end

--- Start a C function that the host has registered, on the pool. Raises kind "missing" if there is none
--- of this name.
---@nodiscard
---@param options tutti.TaskOptions # may be left out
---@param name string
---@param ... nil|boolean|number|string
---@return tutti.Task
---@overload fun(name: string, ...: any): tutti.Task
function tutti.native(options, name, ...) end

--- A definition, tutti.recipe{ name =, f, ... }: calling it starts one execution.
---@nodiscard
---@param spec tutti.TaskOptions
---@return tutti.Recipe
function tutti.recipe(spec) end

---@class tutti.Recipe
---@overload fun(...: any): tutti.Task
local Recipe = {}

--- A changed copy.
---@param changes tutti.TaskOptions
---@return tutti.Recipe
function Recipe:with(changes) end

-- ==== Tasks ====

--- One execution, and the future of its result.
---@class tutti.Task
local Task = {}

--- Wait for it; gives its results or raises its error. Raises kind "cycle" for a task that waits for the
--- caller.
---@async
---@return any ...
function Task:await() end

--- Wait for it: true and its results, or false and its error. The caller's own cancellation is raised
--- all the same.
---@async
---@return boolean ok
---@return any ...
function Task:pawait() end

--- Cancel it and what it started. One that has not run settles at once; else each checkpoint raises
--- until it has ended.
---@param reason? string
function Task:cancel(reason) end

---@return tutti.State
function Task:state() end

--- Has it settled, however?
---@return boolean
function Task:is_done() end

---@return string
function Task:name() end

--- A number of this Lua state.
---@return integer
function Task:id() end

-- ==== Awaiting ====

--- task:await(); or await a luv function that takes a callback: tutti.await(tutti.uv.fs_stat, path).
---@async
---@param task tutti.Task|function
---@param ... any
---@return any ...
function tutti.await(task, ...) end

--- A task of the list of first results. It fails at the first failure; the others go on.
---@nodiscard
---@param list tutti.Task[]
---@return tutti.Task
function tutti.all(list) end

--- A task of the first success; the others are cancelled. All failed: kind "group".
---@nodiscard
---@param list tutti.Task[]
---@param options? tutti.GatherOptions
---@return tutti.Task
function tutti.any(list, options) end

--- A task of what settles first, success or failure; the others are cancelled.
---@nodiscard
---@param list tutti.Task[]
---@param options? tutti.GatherOptions
---@return tutti.Task
function tutti.race(list, options) end

--- A task of a list of { ok = boolean, value =, error = }, one for each.
---@nodiscard
---@param list tutti.Task[]
---@return tutti.Task
function tutti.settle(list) end

--- Tasks in the order in which they settle: `for task in tutti.completed(list) do`. Leaving the loop
--- cancels the rest.
---@async
---@param list tutti.Task[]
---@param options? tutti.GatherOptions
---@return fun(): tutti.Task?
function tutti.completed(list, options) end

--- A task of the list of f(element, index), in order; in chunks on the pool. A failing element fails it,
--- and the rest is cancelled.
---@nodiscard
---@param list any[]|tutti.Buffer|tutti.View
---@param f fun(element: any, index: integer): any
---@param options? tutti.MapOptions
---@return tutti.Task
function tutti.map(list, f, options) end

--- A task of one value: f(acc, element) from `init` on in each chunk, then `combine` of the chunks'
--- results in order.
---@nodiscard
---@param list any[]|tutti.Buffer|tutti.View
---@param f fun(acc: any, element: any): any
---@param init? any # must be neutral; nil: a chunk begins with its first element
---@param options? tutti.MapOptions
---@return tutti.Task
function tutti.reduce(list, f, init, options) end

--- Outside any task (stock lua5.4): run until nothing is left, then raise what nobody owned, kind "group".
function tutti.run() end

-- ==== Scopes ====

--- Run f(s): what is started in it ends before this returns. Gives f's results. Raises kind "group" for
--- failures of what it started, "timeout", "cancelled" after s:cancel(), or f's own error.
---@async
---@param options tutti.ScopeOptions # may be left out
---@param f fun(s: tutti.Scope): ...
---@return any ...
---@overload fun(f: fun(s: tutti.Scope): ...): ...
function tutti.scope(options, f) end

--- Run f(...) with a deadline: what it started is cancelled and joined then. Raises kind "timeout". A
--- result that came first wins.
---@async
---@param limit tutti.Duration
---@param f function
---@param ... any
---@return any ...
function tutti.timeout(limit, f, ...) end

--- Run f(...), which may await although the task has been cancelled; at most for `limit`.
---@async
---@param limit tutti.Duration
---@param f function
---@param ... any
---@return any ...
function tutti.shield(limit, f, ...) end

--- Run f() when the task, or the innermost scope, ends: after its children, the last deferred first. It may
--- await (in a cancelled task: inside tutti.shield); its failure counts as the body's.
---@param f fun()
function tutti.defer(f) end

--- The owner of what is started in it. Its methods start as tutti's functions of these names do.
---@class tutti.Scope
local Scope = {}

---@param options tutti.TaskOptions # may be left out
---@param f function
---@param ... any
---@return tutti.Task
---@overload fun(self: tutti.Scope, f: function, ...: any): tutti.Task
function Scope:spawn(options, f, ...) end

---@param options tutti.TaskOptions # may be left out
---@param f function
---@param ... any
---@return tutti.Task
---@overload fun(self: tutti.Scope, f: function, ...: any): tutti.Task
function Scope:parallel(options, f, ...) end

---@param spec tutti.TaskOptions
---@return tutti.Task
function Scope:task(spec) end

---@param spec tutti.ExecOptions
---@return tutti.Task
function Scope:exec(spec) end

--- Cancel all in it, the function that runs in it included.
---@param reason? string
function Scope:cancel(reason) end

--- Would a checkpoint raise? And why.
---@return boolean is_cancelled
---@return string? reason
function tutti.cancelled() end

--- Let others run; raises if the task has been cancelled.
---@async
function tutti.checkpoint() end

--- The task that runs; nil outside any.
---@return tutti.Task?
function tutti.current() end

-- ==== Time ====

---@async
---@param duration tutti.Duration
function tutti.sleep(duration) end

--- Monotonic seconds. A sleep never ends early by it.
---@return number
function tutti.now() end

--- Call f() each `period`, first after one: a task that ends when f raises, or is cancelled. It holds no
--- join open.
---@nodiscard
---@param period tutti.Duration
---@param f function
---@return tutti.Task
function tutti.every(period, f) end

--- A task that ends when the process gets this signal, and gives its name. While it is pending the
--- signal's default does not happen (SIGINT: the first time). It holds no join open.
---@nodiscard
---@param name string # "SIGINT"
---@return tutti.Task
function tutti.signal(name) end

-- ==== Between tasks ====

--- Values from task to task, of any state. `capacity` are kept for who receives; 0 (default) is rendezvous.
---@nodiscard
---@param capacity? integer
---@return tutti.Channel
function tutti.channel(capacity) end

---@class tutti.Channel
local Channel = {}

--- Send a copy. Raises if the channel is closed, and kind "transfer" for what cannot cross.
---@async
---@param value any # not nil
function Channel:send(value) end

--- The next value and true; nil and false once it is closed and empty.
---@async
---@return any value
---@return boolean is_open
function Channel:recv() end

--- Nothing more is sent; what is in it can still be received.
function Channel:close() end

--- `for value in channel:iter() do`, until it is closed and empty.
---@async
---@return fun(): any
function Channel:iter() end

--- At most n at once, of all states.
---@nodiscard
---@param n integer
---@return tutti.Semaphore
function tutti.semaphore(n) end

---@class tutti.Semaphore
local Semaphore = {}

--- Wait for one of the n: `local permit <close> = semaphore:acquire()`, or semaphore:release().
---@async
---@return tutti.Permit
function Semaphore:acquire() end

function Semaphore:release() end

---@class tutti.Permit
local Permit = {}

--- Give it back; does nothing the second time, and happens when it is closed.
function Permit:release() end

--- A latch: unset, then set for ever.
---@nodiscard
---@return tutti.Event
function tutti.event() end

---@class tutti.Event
local Event = {}

function Event:set() end

---@return boolean
function Event:is_set() end

---@async
function Event:wait() end

--- Bytes that all states share; nothing is copied when it crosses.
---@nodiscard
---@param size tutti.Size
---@param contents? string # what it begins with; the rest is zeros
---@return tutti.Buffer
function tutti.buffer(size, contents) end

---@class tutti.Buffer
---@operator len: integer
local Buffer = {}

--- Typed access. `offset` in bytes from 0, a multiple of the element's size; by default all.
---@param type tutti.Element
---@param offset? integer
---@param count? integer # elements
---@return tutti.View
function Buffer:view(type, offset, count) end

--- A copy of some of its bytes, positions as in string.sub.
---@param from? integer
---@param to? integer
---@return string
function Buffer:string(from, to) end

--- Put the bytes of a string or a buffer to position `at` and on.
---@param at integer # from 1
---@param source string|tutti.Buffer
---@param from? integer # of the source
---@param to? integer
function Buffer:copy(at, source, from, to) end

---@class tutti.View
---@field [integer] number # from 1 to #view; raises `usage` outside
---@operator len: integer
local View = {}

---@param number number
---@param first? integer
---@param last? integer
function View:fill(number, first, last) end

---@return tutti.Element
function View:type() end

--- Where in the buffer it begins, in bytes.
---@return integer
function View:offset() end

---@return tutti.Buffer
function View:buffer() end

--- Let a metatable or module that is no field of a loaded module cross between states by this name.
---@param name string
---@param value table
---@return table value
function tutti.register(name, value) end

-- ==== Programs and files ====

--- Start a program, never through a shell: tutti.exec{ "cc", "-c", "a.c", cwd = "src" }. Its task gives
--- a tutti.ExecResult, and fails with kind "exit" when the program ends otherwise than with 0, unless
--- check = false.
---@nodiscard
---@param spec tutti.ExecOptions
---@return tutti.Task
function tutti.exec(spec) end

--- The same for a line of shell; further words of a table are $1, $2, ...
---@nodiscard
---@param line string|tutti.ExecOptions
---@return tutti.Task
function tutti.sh(line) end

--- Files. The functions suspend the task, return the value, and raise kind "io" with `code` and `path`.
---@class tutti.fs
local fs = {}

---@async
---@param path string
---@return string
function fs.read(path) end

--- The file has the whole new contents or the old ones, at any moment.
---@async
---@param path string
---@param contents string
function fs.write(path, contents) end

---@async
---@param path string
---@param contents string
function fs.append(path, contents) end

--- `for line in tutti.fs.lines(path) do`, without newlines.
---@async
---@param path string
---@return fun(): string?
function fs.lines(path) end

--- The names in a folder, sorted by bytes; with `types = true` a list of { name =, type = }.
---@async
---@param path string
---@param options? { types?: boolean }
---@return string[]|{ name: string, type: string }[]
function fs.list(path, options) end

--- The paths that match, sorted: * ? [a-z] [!a-z] within a name, ** any number of folders.
---@async
---@param pattern string
---@return string[]
function fs.glob(pattern) end

--- All below a folder: `for path, type in tutti.fs.walk(path) do`. With `on_error` a folder that cannot
--- be read is passed over.
---@async
---@param path string
---@param options? { on_error?: fun(err: tutti.Error) }
---@return fun(): string?, string?
function fs.walk(path, options) end

---@async
---@param path string
---@param options? { parents?: boolean }
function fs.mkdir(path, options) end

---@async
---@param path string
---@param options? { recursive?: boolean }
function fs.remove(path, options) end

---@async
---@param path string
---@return table # type, size, mode, mtime, ...
function fs.stat(path) end

--- The same of a link itself.
---@async
---@param path string
---@return table
function fs.lstat(path) end

tutti.fs = fs

--- luv on the engine's own loop; in the loop state only. uv.run, stop, walk and loop_close are refused.
---@type table
tutti.uv = nil

-- ==== Supervision ====

--- Make a supervisor: a task that restarts others by policy. It ends when it has no child left, and
--- gives a tutti.StopReport; one that never had a child ends when somebody awaits it.
---@nodiscard
---@param options? tutti.SupervisorOptions
---@return tutti.Supervisor
function tutti.supervisor(options) end

--- A task, with more methods; those work in the Lua state that made it. Cancelling it ends all children
--- at once.
---@class tutti.Supervisor: tutti.Task
local Supervisor = {}

--- Start a child: sup:start{ name = "feed", f, restart = "on_failure" }. Works at any time until the
--- supervisor stops.
---@param spec tutti.ChildOptions
function Supervisor:start(spec) end

--- It must go on: restarted whenever it ends, `count` times in all; then the supervisor fails.
---@param name string
---@param count integer
---@param f function|tutti.Recipe
function Supervisor:mandatory(name, count, f) end

--- It may go: restarted when it fails, `count` times in all; then the others go on without it.
---@param name string
---@param count integer
---@param f function|tutti.Recipe
function Supervisor:detachable(name, count, f) end

--- When it ends, all are stopped; if it failed, the supervisor then fails.
---@param name string
---@param f function|tutti.Recipe
function Supervisor:shutdown_on_exit(name, f) end

--- Stop the children, the last one first, and wait for that. In a child of it the call raises the
--- cancellation.
---@async
---@return tutti.StopReport
function Supervisor:stop() end

--- Stop one child for good, and wait for that; false if there is none of this name.
---@async
---@param name string
---@return "stopped"|"killed"|"stuck"|false
function Supervisor:remove(name) end

---@return tutti.Child[]
function Supervisor:children() end

-- ==== Graphs ====

--- Options of a task of a graph. An option of tutti.TaskOptions that is not here has no sense in one.
---@class tutti.GraphTaskOptions
---@field needs? string[] # names of tasks, also of later ones; f gets the first result of each, in this order
---@field tags? string[] # for selectors: tag:NAME
---@field when? fun(...: any): boolean, string? # false: the task is skipped, with this reason
---@field limit? string # a name of g:limit: so many of its tasks run at once
---@field resources? table<string, number|string> # { cpu = 2, mem = "1GiB" }, or names of g:limit
---@field description? string # one line, for --list
---@field estimate? tutti.Duration # how long it takes, until it has been measured
---@field on? "loop"|"pool" # where it runs, whatever the mode of the run
---@field args? any[] # arguments after the results of what it needs; `n` counts trailing nils
---@field timeout? tutti.Duration # of each attempt
---@field retry? integer|tutti.Retry # so many further attempts
---@field priority? "high"|"normal"|"low"
---@field run_on_skip? boolean # it runs when all it needs has settled, and gets their handles

--- Make a graph: named tasks with what each needs. Nothing runs before g:run.
---@nodiscard
---@param name? string
---@return tutti.Graph
function tutti.graph(name) end

--- Its methods that declare return the graph itself.
---@class tutti.Graph
---@field name string
local Graph = {}

--- Add a task: g:task(name, [options,] f); f is a function, or a recipe.
---@param name string # any text without control characters
---@param options? tutti.GraphTaskOptions
---@param f function|tutti.Recipe
---@return tutti.Graph
function Graph:task(name, options, f) end

--- Add edges: "(server, assets) >> tests >> report"; several lines, or `;`, for several chains, `--` for
--- comments, quotes for names with other characters. The tasks must be there; all edges are added, or none.
---@param text string
---@return tutti.Graph
function Graph:flow(text) end

--- Of the tasks with this `limit` at most `count` run at once.
---@param name string
---@param count integer
---@return tutti.Graph
function Graph:limit(name, count) end

--- The order in which a run would go. Raises kind "missing" (a need that there is no task for) or "cycle"
--- (with `path`, in running order).
---@param selector? string|string[] # names, globs, tag:x, +x, x+, a & b, a, b, !a; with all that these need
---@return tutti.Plan
function Graph:plan(selector) end

--- Run it, as often as you like; the task gives a tutti.Result. Failures of its tasks are in the result.
---@nodiscard
---@param options? string|tutti.RunOptions # a selector, or options with it as their element 1
---@return tutti.Task
function Graph:run(options) end

---@class tutti.RunOptions
---@field mode? "loop"|"pool" # where tasks run that do not say it; "loop" if it is left out
---@field on_failure? "skip"|"stop" # "stop": after a failure nothing begins any more
---@field jobs? integer # so many tasks at once; without it all that are ready ("pool": two a worker)

--- What a run came to. Where it has no such field it gives the entry of that name.
---@class tutti.Result
---@field total integer
---@field succeeded integer
---@field failed integer
---@field skipped integer
---@field cancelled integer
---@field elapsed number # seconds
---@field tasks table<string, tutti.Entry>
---@field run tutti.Run
local Result = {}

--- Did nothing fail, and was nothing cancelled?
---@return boolean
function Result:ok() end

--- The entries of all tasks, in the plan's order.
---@return tutti.Entry[]
function Result:results() end

---@return tutti.Entry[]
function Result:successes() end

---@return tutti.Entry[]
function Result:failures() end

---@class tutti.Entry
---@field name string
---@field state "waiting"|"ready"|"running"|"done"|"failed"|"cancelled"|"skipped"
---@field value any # the first result
---@field values? table # all results, with `n`, when there are several
---@field error? tutti.Error
---@field reason? string # why it was skipped or cancelled
---@field began? number # as tutti.now()
---@field ended? number
---@field elapsed? number # seconds
---@field attempts integer
---@field task tutti.Task # also before it has begun, and after it has ended

--- The run of a graph that the current task belongs to, or nil.
---@return tutti.Run?
function tutti.current_run() end

---@class tutti.Run
---@field name string
---@field total integer
---@field entries table<string, tutti.Entry>
---@field counts table<string, integer> # running, succeeded, failed, skipped, cancelled
local Run = {}

--- Add a task while it runs; what it needs must be there, settled or not.
---@param name string
---@param options? tutti.GraphTaskOptions
---@param f function|tutti.Recipe
---@return tutti.Task
function Run:task(name, options, f) end

--- Seconds until it ends, at least, by declared and measured durations; nil if nothing is known.
---@return number?
function Run:remaining() end

---@class tutti.Plan
---@field order string[] # step by step, within a step in order of addition
---@field selected? table<string, boolean> # the names that the selector means; nil: all tasks
---@field steps string[][] # a task's step comes right after that of the last it needs
local Plan = {}

--- The names of those that need the task `name`.
---@param name string
---@return string[]
function Plan:dependents(name) end

--- The chain of tasks that takes longest, in running order, and its seconds: as measured in earlier runs,
--- else as `estimate` says; nil if nothing is known, then it is the chain of most tasks.
---@return string[] names
---@return number? seconds
function Plan:critical_path() end

--- A picture for Graphviz: `dot -Tsvg`.
---@return string
function Plan:dot() end

--- A picture for Mermaid.
---@return string
function Plan:mermaid() end

--- One line of JSON: version, graph, steps, tasks, critical_path.
---@return string
function Plan:json() end

-- ==== The command line ====

--- An argument of a script; its type is element 1.
---@class tutti.Argument
---@field [1] "string"|"integer"|"number"|"boolean"|"duration"|"size"
---@field default? any # a value of the type, for when it is not given
---@field required? boolean # it has to be given
---@field choices? any[] # the values that are possible
---@field help? string # a line for --help

--- The values of the arguments that a script declares, by name: those of `--arg NAME=VALUE`, else the
--- defaults. Durations are seconds, sizes bytes. A wrong command line ends the program with status 2.
---@param declarations table<string, tutti.Argument>
---@return table<string, any>
function tutti.args(declarations) end

-- ==== Looking ====

--- The tasks of this state that have not settled, as a tree; tostring of it is a text.
---@return tutti.Node[]
function tutti.tasks() end

--- Numbers of the engine and of this state: submitted, settled, steals, wakes, slab_bytes, workers,
--- spares, blocking; made, live, coroutines_kept, lua_bytes.
---@return table<string, integer>
function tutti.stats() end

--- Run f(...) as the root of a world of its own, with one thread, a clock that jumps to the next timer,
--- and chance from the seed. Raises kind "cycle" naming the waits if all are stuck.
---@param options tutti.TestingOptions
---@param f function
---@param ... any
---@return any ...
function tutti.testing(options, f, ...) end

return tutti
