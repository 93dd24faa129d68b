import BlockModel
import Primitives
import SAM
import SCSIFormats

// Format and sanitize operations in the background (SBC-4 §4.33, §4.11). The state block says what goes on and how far
// it is; one controller works at it, chunk by chunk, each under the unit's state pointer as a command is. Whoever is
// alone works at all of them, from where the state block says, so an operation outlives a controller and a power loss.

extension DeviceServer {
    /// How often the state block is written while an operation goes on, at most.
    static var recordPeriod: Interval { .seconds(1) }
    /// The pause after a step that failed, and how many may fail in a row.
    static var faultPause: Interval { .seconds(1) }
    static var faultLimit: Int { 30 }

    /// Whether this controller works at the unit's operation.
    private func isMine(_ unit: Int) -> Bool {
        guard let operation = works[unit].operation, !operation.isFailed else { return false }
        return operation.worker == controller || !condition.paired
    }

    // MARK: What the state block says

    /// Takes over what a state block says of an operation.
    mutating func noteBackground(_ unit: Int, _ block: StateBlock) {
        let operation = block.background
        works[unit].wantsState = false
        defer { works[unit].operation = operation }
        units[unit].medium = block.medium.union(Self.conditions(operation, marked: block.hasMarks))
        guard let operation else { return }
        if let present = works[unit].operation, present.number == operation.number, !present.isFailed {
            let isFurther = (operation.pass, operation.position) > (works[unit].pass, works[unit].position)
            if operation.flags.contains(.seeded) { works[unit].isSeeded = true }
            if !isFurther { return }
        } else {
            works[unit].isSeeded = operation.flags.contains(.seeded)
            works[unit].ending = .none
            works[unit].needsRecord = false
            works[unit].faults = 0
            works[unit].recorded = now
            works[unit].due = now
        }
        works[unit].pass = operation.pass
        works[unit].position = min(operation.position, units[unit].sectors)
    }

    /// What every command of the unit meets.
    private static func conditions(_ operation: BackgroundOperation?, marked: Bool) -> MediumState {
        let marks: MediumState = marked ? .marked : []
        guard let operation else { return marks }
        if operation.isFailed { return marks.union(operation.isSanitize ? .sanitizeFailed : .formatCorrupt) }
        return marks.union(operation.isSanitize ? .sanitizing : .formatting)
    }

    /// A state block is here that others may have written: commands that waited for an operation may have an answer.
    mutating func learnBackground(_ unit: Int) {
        guard works[unit].waiters > 0 else { return }
        guard let operation = works[unit].operation else { return answerWaiters(unit, nil) }
        if operation.isFailed {
            answerWaiters(unit, Self.failure(operation))
        } else if !isMine(unit) {
            answerWaiters(unit, inProgress(unit))
        }
    }

    /// Ends the commands that wait for an operation: with GOOD when `sense` is nil. `onlyImmediate`: those that are
    /// answered as soon as it has begun.
    private mutating func answerWaiters(_ unit: Int, _ sense: SenseData?, onlyImmediate: Bool = false) {
        if works[unit].waiters == 0 { return }
        for slot in 0..<tasks.capacity where tasks[slot].phase == .working && Int(tasks[slot].unit) == unit {
            if onlyImmediate, !tasks[slot].final { continue }
            works[unit].waiters -= 1
            if let sense {
                fail(slot, sense, total: tasks[slot].total)
            } else {
                complete(slot, .good, total: tasks[slot].total)
            }
        }
    }

    /// A command's operation has begun: it waits for the end, or, with IMMED and a pattern, until that is safe.
    mutating func begun(_ slot: Int) {
        let unit = Int(tasks[slot].unit)
        let isPatterned = works[unit].operation?.flags.contains(.patterned) ?? false
        guard works[unit].operation != nil, !tasks[slot].final || isPatterned else {
            complete(slot, .good, total: tasks[slot].total)
            return
        }
        tasks[slot].phase = .working
        works[unit].waiters += 1
    }

    // MARK: When to work

    /// The membership changed: this controller may have to carry on what the other one did.
    mutating func lookForWork() {
        for unit in 0..<noUnit where units[unit].pointer != .granted { works[unit].wantsState = true }
    }

    /// Goes on with the unit's operation if it is this controller's and may go on now.
    mutating func work(_ unit: Int) {
        guard unit != noUnit, works[unit].step == .idle, isMine(unit), isServing else { return }
        if now < works[unit].due {
            workDeadline = min(workDeadline, works[unit].due)
            return
        }
        if works[unit].needsRecord {
            works[unit].step = .recording
            add(StateChange(kind: .work), to: unit)
            return
        }
        guard units[unit].pointer == .granted, units[unit].firstChange < 0 else {
            works[unit].wantsState = true
            return
        }
        guard let worker = (0..<workers.capacity).first(where: { workers[$0] < 0 }) else {
            works[unit].wantsWorker = true
            return
        }
        workers[worker] = Int32(unit)
        works[unit].slot = Int32(tasks.capacity + worker)
        works[unit].began = now
        units[unit].executing += 1
        beginStep(unit)
    }

    /// Steps whose time has come.
    mutating func workDue() {
        workDeadline = .never
        for unit in 0..<noUnit where works[unit].operation != nil {
            work(unit)
            settle(unit)
        }
    }

    /// A step is over: the worker goes to the unit that has waited for one, and this one goes on after a pause as long
    /// as the step, or as `pause` says.
    mutating func endStep(_ unit: Int, pause: Interval? = nil) {
        workers[Int(works[unit].slot) - tasks.capacity] = -1
        works[unit].slot = -1
        works[unit].step = .idle
        works[unit].due = now + (pause ?? now - works[unit].began)
        units[unit].executing -= 1
        let isLate = now >= works[unit].recorded + Self.recordPeriod
        if isLate { works[unit].needsRecord = true }
        if works[unit].needsRecord, pause == nil { works[unit].due = now }
        for step in 1...units.capacity {
            let other = (unit + step) % units.capacity
            guard works[other].wantsWorker else { continue }
            works[other].wantsWorker = false
            work(other)
            if other != unit { settle(other) }
            break
        }
        work(unit)
        settle(unit)
    }

    // MARK: Records

    /// Writes down how far the operation is, under the write pointer.
    mutating func applyWork(_ block: StateBlock, _ unit: Int) {
        guard var operation = block.background, let mine = works[unit].operation, operation.number == mine.number,
            !operation.isFailed
        else { return }
        operation.worker = controller
        operation.pass = works[unit].pass
        operation.position = works[unit].position
        if works[unit].isSeeded { operation.flags.insert(.seeded) }
        switch works[unit].ending {
        case .none: block.background = operation
        case .finished: block.background = nil
        case .failed:
            operation.flags.insert(.failed)
            block.background = operation
        }
        if works[unit].ending != .none { units[unit].isCommitDurable = true }
    }

    /// The record is committed, or could not be.
    mutating func workRecorded(_ unit: Int, _ fault: BlockFault?) {
        works[unit].step = .idle
        works[unit].recorded = now
        if fault != nil {
            works[unit].due = now + Self.faultPause
            return
        }
        works[unit].needsRecord = false
        let ending = works[unit].ending
        works[unit].ending = .none
        switch ending {
        case .finished: answerWaiters(unit, nil)
        case .failed: if let operation = works[unit].operation { answerWaiters(unit, Self.failure(operation)) }
        case .none: if works[unit].isSeeded { answerWaiters(unit, nil, onlyImmediate: true) }
        }
    }

    // MARK: Sense data

    /// What a command meets while an operation goes on, with the progress that is written down, so that both
    /// controllers say the same.
    func inProgress(_ unit: Int) -> SenseData? {
        guard let operation = works[unit].operation, !operation.isFailed else { return nil }
        let all = max(1, units[unit].sectors)
        // A unit has fewer than 2^48 sectors: the product fits.
        let part = min(operation.position, all) &* 65_536 / all
        let progress = UInt16(clamping: (UInt64(operation.pass) * 65_536 + part) / UInt64(operation.passes))
        let code: AdditionalSenseCode = operation.isSanitize ? .sanitizeInProgress : .formatInProgress
        return SenseData(.notReady, code, progress: progress)
    }

    /// How the command ends whose operation failed.
    private static func failure(_ operation: BackgroundOperation) -> SenseData {
        SenseData(.mediumError, operation.isSanitize ? .sanitizeCommandFailed : .formatCommandFailed)
    }
}

extension MediumState {
    /// A block is marked as a pseudo unrecovered error.
    static var marked: Self { Self(rawValue: 8) }
    static var formatting: Self { Self(rawValue: 16) }
    static var sanitizing: Self { Self(rawValue: 32) }
    /// A format operation failed.
    static var formatCorrupt: Self { Self(rawValue: 64) }
    /// A sanitize operation failed.
    static var sanitizeFailed: Self { Self(rawValue: 128) }
    /// An operation goes on.
    static var isBusy: Self { [.formatting, .sanitizing] }
}
