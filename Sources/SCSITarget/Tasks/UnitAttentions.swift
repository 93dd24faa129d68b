import SCSIFormats

/// The pending unit attention conditions of each nexus and unit (SAM-6 §5.14): up to four, oldest first, packed in one
/// word a pair; zero is none. When a fifth comes they become one POWER ON, RESET, OR BUS DEVICE RESET OCCURRED, which
/// makes the initiator look at everything anew.
struct UnitAttentions: ~Copyable {
    static var depth: Int { 4 }
    private let words: UnsafeMutablePointer<UInt64>
    private let nexuses: Int
    private let units: Int

    init(nexuses: Int, units: Int) {
        self.nexuses = nexuses
        self.units = units
        words = .allocate(capacity: max(1, nexuses * units))
        words.initialize(repeating: 0, count: max(1, nexuses * units))
    }

    deinit { words.deallocate() }

    private func place(_ nexus: Int, _ unit: Int) -> Int {
        precondition(nexus < nexuses && unit < units)
        return nexus * units + unit
    }

    /// Whether anything is pending.
    func isPending(_ nexus: Int, _ unit: Int) -> Bool { words[place(nexus, unit)] != 0 }

    /// Establishes a condition; nothing changes when it is pending already, or when it is a reset and POWER ON, RESET,
    /// OR BUS DEVICE RESET OCCURRED is: a nexus that has just come may learn late of a reset before its time.
    mutating func establish(_ code: AdditionalSenseCode, nexus: Int, unit: Int) {
        let at = place(nexus, unit)
        let powerOn = AdditionalSenseCode.powerOnResetOrBusDeviceReset
        for index in 0..<Self.depth {
            let present = UInt16(truncatingIfNeeded: words[at] >> UInt64(index * 16))
            if present == code.raw || present == powerOn.raw && code.code == powerOn.code { return }
            if present == 0 {
                words[at] |= UInt64(code.raw) << UInt64(index * 16)
                return
            }
        }
        words[at] = UInt64(powerOn.raw)
    }

    /// Takes the oldest condition, or only tells it (`keeping`: UA_INTLCK_CTRL).
    mutating func take(nexus: Int, unit: Int, keeping: Bool = false) -> AdditionalSenseCode? {
        let at = place(nexus, unit)
        if words[at] == 0 { return nil }
        let code = AdditionalSenseCode(raw: UInt16(truncatingIfNeeded: words[at]))
        if !keeping { words[at] >>= 16 }
        return code
    }

    /// The same for the oldest condition that tells of a reset, a power on, or a nexus loss (29h).
    mutating func takeReset(nexus: Int, unit: Int, keeping: Bool = false) -> AdditionalSenseCode? {
        let at = place(nexus, unit)
        for index in 0..<Self.depth {
            let shift = UInt64(index * 16)
            let code = AdditionalSenseCode(raw: UInt16(truncatingIfNeeded: words[at] >> shift))
            guard code.code == 0x29 else { continue }
            if keeping { return code }
            let below = words[at] & ((1 << shift) - 1)
            words[at] = below | (((words[at] >> shift) >> 16) << shift)
            return code
        }
        return nil
    }

    /// Forgets everything of a nexus.
    mutating func clear(nexus: Int) { for unit in 0..<units { words[place(nexus, unit)] = 0 } }

    /// Makes `code` the only condition of a nexus on a unit: what it says includes whatever was pending.
    mutating func reset(_ code: AdditionalSenseCode, nexus: Int, unit: Int) {
        words[place(nexus, unit)] = UInt64(code.raw)
    }
}
