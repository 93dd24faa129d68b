import BlockModel
import Primitives
import SAM
import SCSIFormats

// LOG SENSE (SPC-4 §6.8). Counters are the unit's, whichever controller is asked.

extension DeviceServer {
    func logSense(_ slot: Int, _ writer: inout ParameterWriter) -> SenseData? {
        let unit = Int(tasks[slot].unit)
        let cdb = tasks[slot].cdb
        let traits = units[unit].traits
        guard let page = Self.logPage(cdb, traits) else { return Self.noLogPage(cdb, traits) }
        let pointer = cdb.big16(5)
        page.writeHead(to: &writer)
        switch page.content {
        case .supportedPages, .supportedSubpages:
            if pointer != 0 { return .invalidField(inCDB: 5) }
            page.writeList(traits, to: &writer)
        default:
            let control = LogParameter.Control(rawValue: cdb[2] >> 6) ?? .cumulative
            let parameters = logParameters(page, slot, unit)
            if let last = parameters.last, pointer > last.code { return .invalidField(inCDB: 5) }
            for parameter in parameters where parameter.code >= pointer { parameter.write(control, to: &writer) }
        }
        writer.patch(big16: UInt16(truncatingIfNeeded: writer.count - 4), at: 2)
        return nil
    }

    static func logPage(_ cdb: CDB, _ traits: UnitTraits) -> LogPage? {
        LogPage.find(cdb[2] & 0x3F, cdb[3], traits)
    }

    static func noLogPage(_ cdb: CDB, _ traits: UnitTraits) -> SenseData {
        LogPage.pages(traits, code: cdb[2] & 0x3F).isEmpty
            ? .invalidField(inCDB: 2, bit: 5) : .invalidField(inCDB: 3)
    }

    /// The parameters of a page, ascending.
    func logParameters(_ page: LogPage, _ slot: Int, _ unit: Int) -> [LogParameter] {
        switch page.content {
        case .supportedPages, .supportedSubpages: []
        case .writeErrors: errors(.writeErrors, slot, unit)
        case .readErrors: errors(.readErrors, slot, unit)
        case .verifyErrors: errors(.verifyErrors, slot, unit)
        case .nonMediumErrors: [.counter(0x0000, count(.otherErrors, slot, unit), width: 4)]
        // A temperature that cannot be told.
        case .temperature: [.list(0x0000, [0, 0xFF]), .list(0x0001, [0, 0xFF])]
        case .startStopCycles:
            [.list(0x0004, LogParameter.counter(0, UInt64(stateBlock(slot)?.startStopCycles ?? 0), width: 4).value)]
        case .selfTests: selfTests(slot)
        case .backgroundScan: [.list(0x0000, backgroundScan)]
        case .statistics: statistics(slot, unit)
        case .provisioning: provisioningParameters(unit)
        case .groupStatistics: groupStatistics(page.subpage, unit)
        case .exceptions:
            // ADDITIONAL SENSE CODE and qualifier; a temperature that cannot be told.
            [.list(0x0000, units[unit].exceptions.isFailing ? [0x5D, 0xFF, 0xFF] : [0, 0, 0xFF])]
        }
    }

    /// Errors that could be corrected (there are none: what can be read is right), and those that could not.
    private func errors(_ counter: StateBlock.EventCounter, _ slot: Int, _ unit: Int) -> [LogParameter] {
        [.counter(0x0003, 0, width: 4), .counter(0x0006, count(counter, slot, unit), width: 4)]
    }

    /// A counter of the unit: what both controllers wrote down, and what this one has not yet.
    private func count(_ counter: StateBlock.EventCounter, _ slot: Int, _ unit: Int) -> UInt64 {
        UInt64(stateBlock(slot)?.count(counter) ?? 0) + UInt64(units[unit].unwritten[counter.rawValue])
    }

    /// The twenty latest self-tests, latest first; zeros where there were not so many.
    private func selfTests(_ slot: Int) -> [LogParameter] {
        let block = stateBlock(slot)
        return (0..<StateBlock.selfTestCount).map { index in
            var bytes = [UInt8](repeating: 0, count: 16)
            if let test = block?.selfTest(index) {
                bytes[0] = test.outcome
                // SELF-TEST NUMBER: the segment that failed.
                bytes[1] = test.outcome & 0x0F == 0 ? 0 : test.outcome & 0x0F - 4
                bytes[2] = UInt8(test.hours >> 8)
                bytes[3] = UInt8(truncatingIfNeeded: test.hours)
                // ADDRESS OF FIRST FAILURE: none is told. Sense data of a failure.
                for at in 4..<12 { bytes[at] = 0xFF }
                if test.outcome & 0x0F != 0 {
                    bytes[12] = SenseKey.hardwareError.rawValue
                    bytes[13] = AdditionalSenseCode.logicalUnitFailedSelfTest.code
                    bytes[14] = AdditionalSenseCode.logicalUnitFailedSelfTest.qualifier
                }
            }
            return .list(UInt16(index + 1), bytes)
        }
    }

    /// Background scanning status (SBC-3 §6.4.2.2): minutes of power, and no scan, ever.
    private var backgroundScan: [UInt8] {
        let minutes = UInt32(clamping: now.nanoseconds / 60_000_000_000)
        return (0..<4).map { UInt8(truncatingIfNeeded: minutes >> UInt32(24 - $0 * 8)) }
            + [UInt8](repeating: 0, count: 8)
    }

    /// General Access Statistics and Performance, in seconds, so that both ports say the same. There is no command
    /// priority, and so no weight. The partner's part is what it published last.
    private func statistics(_ slot: Int, _ unit: Int) -> [LogParameter] {
        let mine = units[unit].activity
        let other = stateBlock(slot)?.activity(of: controller.partner) ?? StateBlock.Activity()
        let reads = mine.reads &+ other.reads
        let writes = mine.writes &+ other.writes
        let interval = Self.statisticsInterval
        let readTime = mine.readTime / interval &+ other.readTime / interval
        let writeTime = mine.writeTime / interval &+ other.writeTime / interval
        let numbers = [
            reads, writes, mine.blocksWritten &+ other.blocksWritten, mine.blocksRead &+ other.blocksRead, readTime,
            writeTime, 0, 0,
        ]
        let bytes = numbers.flatMap { LogParameter.counter(0, $0, width: 8).value }
        // IDLE TIME INTERVALS, of this controller. TIME INTERVAL DESCRIPTOR: EXPONENT 0, INTEGER 1.
        return [
            LogParameter(code: 0x0001, form: .unboundedCounter, value: bytes),
            LogParameter(
                code: 0x0002, form: .unboundedCounter,
                value: LogParameter.counter(0, units[unit].idleTime / interval, width: 8).value),
            .list(0x0003, [0, 0, 0, 0, 0, 0, 0, 1]),
        ]
    }

    /// Nanoseconds in an interval of the statistics.
    private static var statisticsInterval: UInt64 { 1_000_000_000 }

    /// Group n Statistics and Performance, of the one controller that there is.
    private func groupStatistics(_ group: UInt8, _ unit: Int) -> [LogParameter] {
        let activity = groups[unit, group]
        let numbers = [
            activity.reads, activity.writes, activity.blocksWritten, activity.blocksRead,
            activity.readTime / Self.statisticsInterval, activity.writeTime / Self.statisticsInterval,
        ]
        let bytes = numbers.flatMap { LogParameter.counter(0, $0, width: 8).value }
        return [LogParameter(code: 0x0001, form: .unboundedCounter, value: bytes)]
    }
}
