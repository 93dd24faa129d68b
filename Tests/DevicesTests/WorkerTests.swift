import Devices
import Glibc
import Testing

@Suite struct WorkerTests {
    /// A pipe stands for the eventfd: what is written to one end can be waited for at the other.
    private func makePipe() -> (read: Int32, write: Int32) {
        var ends: [Int32] = [-1, -1]
        _ = pipe(&ends)
        return (ends[0], ends[1])
    }

    @Test func answersComeInTheOrderOfTheJobs() {
        let wake = makePipe()
        let worker = Worker<Int, Int>(limit: 8, wake: wake.write) { $0 * 2 }
        for job in 1...3 { #expect(worker.submit(job)) }
        var answers: [Int] = []
        while answers.count < 3 {
            var count: UInt64 = 0
            _ = read(wake.read, &count, 8)
            while let answer = worker.nextAnswer() { answers.append(answer) }
        }
        worker.stop()
        #expect(answers == [2, 4, 6])
        close(wake.read)
        close(wake.write)
    }

    @Test func aFullQueueRefusesAJob() {
        let wake = makePipe()
        let gate = makePipe()
        let worker = Worker<Int, Int>(limit: 1, wake: wake.write) { job in
            var count: UInt64 = 0
            _ = read(gate.read, &count, 8)
            return job
        }
        var taken = 0
        for job in 0..<5 where worker.submit(job) { taken += 1 }
        #expect(taken <= 2)
        var one: UInt64 = 10
        _ = write(gate.write, &one, 8)
        for _ in 0..<taken { _ = write(gate.write, &one, 8) }
        worker.stop()
        #expect(!worker.submit(9))
        for end in [wake.read, wake.write, gate.read, gate.write] { close(end) }
    }
}
