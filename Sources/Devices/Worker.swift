import CLinux
import Glibc
import Primitives
import Synchronization

/// One thread beside the reactor for calls that may block (fdatasync, a lock): jobs go in by a bounded queue, answers
/// come out by another, and each answer adds 1 to an eventfd that the reactor waits on.
///
/// Jobs are performed one at a time in the order of `submit`. `stop` waits for the job under way and drops the rest.
package final class Worker<Job: Sendable, Answer: Sendable>: Sendable {
    private struct State: ~Copyable {
        var jobs = Queue<Job>()
        var answers = Queue<Answer>()
        var stopping = false
    }
    private let state = Mutex(State())
    private let limit: Int
    /// Counts jobs; the thread sleeps in reading it.
    private let bell: Int32
    private let wake: Int32
    private let perform: @Sendable (Job) -> Answer
    private let thread = Mutex<pthread_t?>(nil)

    /// - Parameters:
    ///   - limit: the most jobs that may wait.
    ///   - wake: an eventfd that outlives the worker; it is not closed here.
    ///   - perform: runs on the worker's thread.
    package init(limit: Int, wake: Int32, perform: @escaping @Sendable (Job) -> Answer) {
        self.limit = limit
        self.wake = wake
        self.perform = perform
        bell = eventfd(0, Int32(EFD_CLOEXEC) | Int32(EFD_SEMAPHORE))
        let start = Start { [weak self] in self?.loop() }
        let box = Unmanaged.passRetained(start)
        var made = pthread_t()
        let code = pthread_create(&made, nil, { argument in
            guard let argument else { return nil }
            Unmanaged<Start>.fromOpaque(argument).takeRetainedValue().body()
            return nil
        }, box.toOpaque())
        if code == 0 { thread.withLock { $0 = made } } else { box.release() }
    }

    deinit { close(bell) }

    /// Queues a job; false when as many as the limit wait already, or the thread could not be made.
    package func submit(_ job: Job) -> Bool {
        if thread.withLock({ $0 == nil }) { return false }
        let queued = state.withLock { state in
            if state.stopping || state.jobs.count >= limit { return false }
            state.jobs.append(job)
            return true
        }
        if queued { Self.ring(bell) }
        return queued
    }

    /// The oldest answer not yet taken.
    package func nextAnswer() -> Answer? { state.withLock { $0.answers.popFirst() } }

    /// Ends the thread and waits for it; called once by the owner before the worker goes.
    package func stop() {
        state.withLock { $0.stopping = true }
        Self.ring(bell)
        let made = thread.withLock { thread in
            defer { thread = nil }
            return thread
        }
        if let made { pthread_join(made, nil) }
    }

    private func loop() {
        while true {
            var count: UInt64 = 0
            if read(bell, &count, 8) != 8 && errno != EINTR { return }
            var job: Job?
            let stopping = state.withLock { state in
                job = state.jobs.popFirst()
                return state.stopping
            }
            if stopping { return }
            guard let job else { continue }
            let answer = perform(job)
            state.withLock { $0.answers.append(answer) }
            Self.ring(wake)
        }
    }

    private static func ring(_ descriptor: Int32) {
        var one: UInt64 = 1
        _ = write(descriptor, &one, 8)
    }
}

/// What a thread starts with.
private final class Start: Sendable {
    let body: @Sendable () -> Void
    init(body: @escaping @Sendable () -> Void) { self.body = body }
}
