import SAM

/// Whether status and sense data are such as SPC-5 has them.
enum SenseCheck {
    /// What is wrong; nil when nothing is.
    static func fault(_ status: Status, _ sense: [UInt8]) -> String? {
        guard status == .checkCondition else {
            return sense.isEmpty ? nil : "\(status) has \(sense.count) bytes of sense data"
        }
        guard sense.count >= 8, sense.count <= 252 else { return "sense data of \(sense.count) bytes" }
        guard Int(sense[7]) + 8 == sense.count else {
            return "ADDITIONAL SENSE LENGTH \(sense[7]) in \(sense.count) bytes"
        }
        switch sense[0] & 0x7F {
        case 0x70, 0x71: return fixedFault(sense)
        case 0x72, 0x73: return descriptorFault(sense)
        default: return "response code \(sense[0] & 0x7F)"
        }
    }

    private static func fixedFault(_ sense: [UInt8]) -> String? {
        if sense.count < 18 { return "fixed sense data of \(sense.count) bytes" }
        let key = sense[2] & 0x0F
        // A field pointer is there for ILLEGAL REQUEST only; SKSV of other keys means progress or a count.
        if key == 5, sense[15] & 0x80 != 0, sense[15] & 0x40 != 0, Int(sense[16]) << 8 | Int(sense[17]) >= 32 {
            return "a field pointer beyond the CDB"
        }
        return nil
    }

    private static func descriptorFault(_ sense: [UInt8]) -> String? {
        var at = 8
        while at < sense.count {
            guard at + 2 <= sense.count, at + 2 + Int(sense[at + 1]) <= sense.count else {
                return "a sense descriptor at \(at) that does not fit"
            }
            at += 2 + Int(sense[at + 1])
        }
        return nil
    }
}
