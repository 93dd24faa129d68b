import Glibc

/// What a run counted.
struct Tally {
    var unitBytes: UInt64 = 0
    var operations: UInt64 = 0
    var reads: UInt64 = 0
    var writes: UInt64 = 0
    var retries: UInt64 = 0
    /// Connections lost in full feature phase.
    var losses: UInt64 = 0
    var errors: UInt64 = 0
    var mismatches: UInt64 = 0
    var digestErrors: UInt64 = 0
    var blocksChecked: UInt64 = 0
    /// The first few errors and mismatches, as sentences.
    var complaints: [String] = []
    /// Why the run could not be done, or not be ended.
    var failure: String?

    /// The counted window, ns; `.max` and 0: not begun, not ended.
    var beginAt: UInt64 = .max
    var endAt: UInt64 = 0
    private var measuring = false
    private var lastCompletion: UInt64 = 0
    /// The longest time without any completion, ns, and when it ended, from the beginning.
    var longestGap: UInt64 = 0
    var longestGapEnd: UInt64 = 0
    private var ownTime: UInt64 = 0
    private var processTime: UInt64 = 0
    /// CPU time in the window: of this process, of the processes asked for, ns.
    var ownCPU: UInt64 = 0
    var processCPU: UInt64 = 0
    var p50: UInt64 = 0
    var p99: UInt64 = 0
    var maximum: UInt64 = 0

    static let complaintLimit = 10

    mutating func complain(_ sentence: String, errors: UInt64 = 0, mismatches: UInt64 = 0) {
        self.errors += errors
        self.mismatches += mismatches
        if complaints.count < Self.complaintLimit { complaints.append(sentence) }
    }

    mutating func begin(at time: UInt64, processes: [Int32]) {
        beginAt = time
        measure(time == 0 ? 0 : monotonicNow(), processes: processes)
    }

    /// Opens the window when its time has come.
    mutating func measure(_ now: UInt64, processes: [Int32]) {
        guard !measuring, endAt == 0, now >= beginAt else { return }
        measuring = true
        beginAt = now
        lastCompletion = now
        ownTime = ownProcessorTime()
        processTime = processorTime(of: processes)
    }

    /// One command ended well; false: outside the window.
    @inline(__always) mutating func completed(_ isWrite: Bool, _ now: UInt64) -> Bool {
        guard measuring else { return false }
        operations &+= 1
        if isWrite { writes &+= 1 } else { reads &+= 1 }
        if now &- lastCompletion > longestGap {
            longestGap = now &- lastCompletion
            longestGapEnd = now &- beginAt
        }
        lastCompletion = now
        return true
    }

    mutating func end(_ now: UInt64, processes: [Int32], histogram: borrowing Histogram) {
        guard measuring else { return }
        measuring = false
        endAt = now
        if now &- lastCompletion > longestGap {
            longestGap = now &- lastCompletion
            longestGapEnd = now &- beginAt
        }
        ownCPU = ownProcessorTime() - ownTime
        let after = processorTime(of: processes)
        processCPU = after > processTime ? after - processTime : 0
        p50 = histogram.quantile(0.5)
        p99 = histogram.quantile(0.99)
        maximum = histogram.maximum
    }

    var seconds: Double { endAt > beginAt ? Double(endAt - beginAt) / 1e9 : 0 }
    var exitCode: Int32 { mismatches + errors > 0 ? 1 : failure != nil ? 2 : 0 }
}

/// CPU time of this process, ns.
func ownProcessorTime() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}

/// CPU time of all threads of `processes` that live, ns: the first number of each task's schedstat.
func processorTime(of processes: [Int32]) -> UInt64 {
    var sum: UInt64 = 0
    for process in processes {
        let folder = "/proc/\(process)/task"
        guard let directory = opendir(folder) else { continue }
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            guard name.first != ".", let file = fopen("\(folder)/\(name)/schedstat", "r") else { continue }
            var bytes = [CChar](repeating: 0, count: 128)
            if fgets(&bytes, 128, file) != nil { sum += strtoull(bytes, nil, 10) }
            fclose(file)
        }
        closedir(directory)
    }
    return sum
}
