import CLinux
import Controller
import Foundation
import Glibc
import Synchronization

/// Runs the controllers of an array as processes: starts them, waits on their pidfds, starts a dead one again, puts
/// faults into effect, and knows what each says of itself.
///
/// One thread, the one that calls `run`, owns the processes: only it starts, signals and reaps. One more thread per
/// controller asks it for its status. What they know is in `state`, behind one lock; other threads ask for changes
/// through `orders` and are answered when they are done.
package final class Supervisor: Sendable {
    package let plan: PairStatus.Plan
    package let controllers: [SupervisedController]
    let options: Options
    let report: @Sendable (Event) -> Void
    let state: Mutex<State>
    /// Written to when there are orders.
    private let wake: Int32
    private let signals: Int32

    package struct Options: Sendable {
        /// Start a controller again that died.
        package var restart = true
        /// The first wait before that, and the longest, in milliseconds; it doubles in between.
        package var restartDelay: ClosedRange<Int64> = 5000...60_000
        /// A controller that ran this long, or served properly (in a pair: was redundant), starts again with the first
        /// wait.
        package var settledAfter: Int64 = 60_000
        /// How long all together have to become ready at the first start, and to stop cleanly at the end.
        package var startPatience: Int64 = 60_000
        package var stopPatience: Int64 = 30_000
        /// Exit code by which a controller asks to be started anew at once.
        package var startAnewCode: Int32
        /// Exit codes after which a start again would come to the same.
        package var refusalCodes: Set<Int32>
        /// Signals that end `run` in order; blocked in the whole process before any thread is made.
        package var stopSignals: [Int32] = [SIGINT, SIGTERM, SIGHUP]
        package init(startAnewCode: Int32, refusalCodes: Set<Int32>) {
            self.startAnewCode = startAnewCode
            self.refusalCodes = refusalCodes
        }
    }

    /// What is worth a line to the person who looks on.
    package enum Event: Sendable {
        /// The first time that every controller serves.
        case ready(PairStatus)
        /// Something in the glance of the pair changed.
        case changed(PairStatus)
        case ended(controller: String, reason: String, next: String)
        case stopping
    }

    struct Child {
        var process: ChildProcess?
        var report: PairStatus.ControllerReport
        var startedAt: Int64 = 0
        /// When it is started again; nil: not by time.
        var restartAt: Int64?
        var delay: Int64 = 0
        /// It served in this life, with a partner where there is one.
        var hasProved = false
        /// The code of its last exit, if it ended by exiting.
        var lastExit: Int32?
        /// The pid that has been told the cuts in effect, and its maintenance.
        var toldCuts: Int32?
    }

    struct State {
        var children: [String: Child] = [:]
        var faults = FaultTable()
        /// The controller whose hosts are sent to the other one.
        var maintenance: String?
        var wasReady = false
        var stopping = false
        var orders: [Order] = []
        /// Until then the controllers are asked often.
        var restlessUntil: Int64 = 0
    }

    /// Something that only the owning thread does; answered when it is in effect.
    struct Order: Sendable {
        enum Action: Sendable { case kill, hang, resume, revive }
        var action: Action
        var controller: String
        var answer: CheckedContinuation<Void, Never>
    }

    /// Blocks the stop signals in the calling thread: call it before any other thread is made.
    package init(
        _ plan: PairStatus.Plan, _ controllers: [SupervisedController], options: Options,
        report: @escaping @Sendable (Event) -> Void
    ) throws(Errno) {
        self.plan = plan
        self.controllers = controllers
        self.options = options
        self.report = report
        var children: [String: Child] = [:]
        for controller in controllers {
            let report = PairStatus.ControllerReport(name: controller.name, process: .down, portals: controller.portals)
            children[controller.name] = Child(report: report)
        }
        var first = State()
        first.children = children
        state = Mutex(first)
        var set = sigset_t()
        sigemptyset(&set)
        for signal in options.stopSignals { sigaddset(&set, signal) }
        pthread_sigmask(SIG_BLOCK, &set, nil)
        wake = eventfd(0, Int32(EFD_CLOEXEC) | Int32(EFD_NONBLOCK))
        signals = signalfd(-1, &set, Int32(SFD_CLOEXEC) | Int32(SFD_NONBLOCK))
        guard wake >= 0, signals >= 0 else { throw Errno(code: errno) }
    }

    deinit {
        close(wake)
        close(signals)
    }

    /// The state now.
    package var status: PairStatus {
        state.withLock { state in
            PairStatus(
                plan, controllers: controllers.compactMap { state.children[$0.name]?.report },
                faults: state.faults.faults, wasReady: state.wasReady)
        }
    }

    /// Runs the controllers until a stop signal, or until `stop`; returns the exit code. The calling thread must be one
    /// that lives as long as the process.
    package func run() -> Int32 {
        for controller in controllers {
            start(controller.name)
            StatusPoller(self, controller).start()
        }
        var life = Life(patienceEnds: Clock.milliseconds() + options.startPatience)
        while true {
            waitForSomething()
            if takeStopSignal() || state.withLock({ $0.stopping }) {
                report(.stopping)
                return stopAll(exitCode: 0)
            }
            reapAll()
            carryOutOrders()
            startDue()
            if let code = life.step(self) { return stopAll(exitCode: code) }
        }
    }

    /// Ends `run` from another thread.
    package func stop() {
        state.withLock { $0.stopping = true }
        wakeUp()
    }

    func wakeUp() {
        var one: UInt64 = 1
        _ = write(wake, &one, 8)
    }

    /// Gives an order to the owning thread and waits until it is in effect.
    func order(_ action: Order.Action, _ controller: String) async {
        await withCheckedContinuation { continuation in
            let accepted = state.withLock { state in
                guard !state.stopping else { return false }
                state.orders.append(Order(action: action, controller: controller, answer: continuation))
                return true
            }
            stir()
            if accepted { wakeUp() } else { continuation.resume() }
        }
    }

    // MARK: The owning thread

    /// Until a signal, an order, the end of a child, news, or a while: a short one unless everything is at rest.
    private func waitForSomething() {
        let patience: Int32 = isAtRest ? 1000 : 50
        let pidfds = state.withLock { $0.children.values.compactMap { $0.process?.pidfd } }
        var descriptors = ([wake, signals] + pidfds).map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
        _ = poll(&descriptors, nfds_t(descriptors.count), patience)
        var drained: UInt64 = 0
        _ = read(wake, &drained, 8)
    }

    private func takeStopSignal() -> Bool {
        var information = signalfd_siginfo()
        return read(signals, &information, MemoryLayout<signalfd_siginfo>.size) > 0
    }

    func start(_ name: String) {
        guard let controller = controllers.first(where: { $0.name == name }) else { return }
        let made: Result<ChildProcess, Errno>
        do throws(Errno) { made = .success(try ChildProcess.start(controller.command)) } catch {
            made = .failure(error)
        }
        let delay = state.withLock { state -> Int64? in
            guard var child = state.children[name] else { return nil }
            defer { state.children[name] = child }
            child.restartAt = nil
            child.report.status = nil
            switch made {
            case .success(let process):
                child.process = process
                child.report.pid = process.pid
                child.report.process = .starting
                child.report.reason = nil
                child.startedAt = Clock.milliseconds()
                child.hasProved = false
                return nil
            case .failure(let error):
                child.report.process = .down
                child.report.reason = "cannot be started: \(error)"
                return 0
            }
        }
        if delay != nil { report(.ended(controller: name, reason: "cannot be started", next: "stays down")) }
    }

    private func startDue() {
        let now = Clock.milliseconds()
        let due = state.withLock { state in
            state.children.filter { $0.value.restartAt.map { $0 <= now } ?? false }.map(\.key).sorted()
        }
        for name in due { startAgain(name) }
    }

    private func reapAll() {
        for controller in controllers {
            let process = state.withLock { $0.children[controller.name]?.process }
            guard let process, let ending = process.reap() else { continue }
            let verdict = state.withLock { noteEnding(controller.name, ending, &$0) }
            report(.ended(controller: controller.name, reason: verdict.reason, next: verdict.next))
        }
    }

    /// SIGTERM to all (and SIGCONT, or a stopped one would not hear it), a bounded wait, then SIGKILL.
    private func stopAll(exitCode: Int32) -> Int32 {
        state.withLock { $0.stopping = true }
        let waiting = state.withLock { state in
            defer { state.orders = [] }
            return state.orders
        }
        for order in waiting { order.answer.resume() }
        for process in processes {
            process.signal(SIGTERM)
            process.signal(SIGCONT)
        }
        let end = Clock.milliseconds() + options.stopPatience
        while !processes.isEmpty {
            for controller in controllers {
                let process = state.withLock { $0.children[controller.name]?.process }
                guard let process, let ending = process.reap() else { continue }
                _ = state.withLock { noteEnding(controller.name, ending, &$0) }
            }
            // A second signal means: at once.
            if Clock.milliseconds() >= end || takeStopSignal() {
                for process in processes { process.signal(SIGKILL) }
            }
            usleep(10_000)
        }
        return exitCode
    }

    private var processes: [ChildProcess] { state.withLock { $0.children.values.compactMap(\.process) } }
}

/// One controller as the supervisor needs it.
package struct SupervisedController: Sendable {
    package var name: String
    /// The program and its arguments.
    package var command: [String]
    package var socketPath: String
    package var portals: [String]
    package init(name: String, command: [String], socketPath: String, portals: [String]) {
        self.name = name
        self.command = command
        self.socketPath = socketPath
        self.portals = portals
    }
}
