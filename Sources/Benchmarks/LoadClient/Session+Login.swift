import CLinux
import Glibc

// Login in one step, the operational stage (RFC 7143 §6.3): targets that demand CHAP are refused by their own answer.
extension Session {
    /// Queues the login request, or its continuation with no keys left to say.
    mutating func queueLogin(_ options: Options, target: String, first: Bool) -> Bool {
        let text = first ? Self.loginText(options, target: target) : []
        reserve(units: max(64, text.count / Self.headerPlace + 4))
        let header = nextHeader()
        header.put(0, Opcode.loginRequest | Opcode.immediate)
        header.put(1, 0x80 | 1 << 2 | 3)
        // ISID of the random format; the process and the session make it unique (RFC 7143 §11.12.5).
        header.put(8, 0x80)
        header.put24(9, Int(getpid()))
        header.put16(12, UInt16(truncatingIfNeeded: index))
        header.put32(24, commandSequence)
        header.put32(28, expectedStatus)
        header.put24(5, text.count)
        // The text travels right behind the header: the place of headers has room for it, nothing else is queued.
        let padded = (text.count + 3) & ~3
        memset(header + headerLength, 0, padded)
        text.withUnsafeBytes { if let base = $0.baseAddress { memcpy(header + headerLength, base, $0.count) } }
        vectors[queued] = iovec(iov_base: header, iov_len: headerLength + padded)
        queued += 1
        headersUsed += headerLength + padded
        return flush()
    }

    private static func loginText(_ options: Options, target: String) -> [UInt8] {
        func yes(_ value: Bool) -> String { value ? "Yes" : "No" }
        func digest(_ value: Bool) -> String { value ? "CRC32C,None" : "None" }
        let keys = [
            "InitiatorName=\(options.initiator)", "SessionType=Normal", "TargetName=\(target)",
            "HeaderDigest=\(digest(options.headerDigest))", "DataDigest=\(digest(options.dataDigest))",
            "ErrorRecoveryLevel=0", "MaxConnections=1", "InitialR2T=\(yes(options.initialR2T))",
            "ImmediateData=\(yes(options.immediateData))", "MaxRecvDataSegmentLength=\(options.maxReceive)",
            "MaxBurstLength=\(options.maxBurst)", "FirstBurstLength=\(min(options.firstBurst, options.maxBurst))",
            "MaxOutstandingR2T=1", "DataPDUInOrder=Yes", "DataSequenceInOrder=Yes", "DefaultTime2Wait=0",
            "DefaultTime2Retain=0",
        ]
        return keys.flatMap { Array($0.utf8) + [0] }
    }

    enum LoginProgress {
        case done
        case more
        case failed(String)
    }

    /// Takes a login response with its text.
    mutating func takeLogin(_ header: UnsafeRawPointer, _ text: UnsafeRawBufferPointer) -> LoginProgress {
        guard header.byte(0) & 0x3F == Opcode.loginResponse else { return .failed("no answer to the login request") }
        guard header.byte(36) == 0 else {
            let (status, detail) = (header.byte(36), header.byte(37))
            return .failed("login refused, status class \(status) detail \(detail) (RFC 7143 §11.13.5)")
        }
        expectedStatus = header.big32(24) &+ 1
        maximumSequence = header.big32(32)
        for pair in text.split(separator: 0) { takeKey(String(decoding: pair, as: UTF8.self)) }
        let flags = header.byte(1)
        return flags & 0x80 != 0 && flags & 3 == 3 ? .done : .more
    }

    private mutating func takeKey(_ pair: String) {
        guard let equals = pair.firstIndex(of: "=") else { return }
        let value = pair[pair.index(after: equals)...]
        switch pair[..<equals] {
        case "HeaderDigest": headerDigest = value == "CRC32C"
        case "DataDigest": dataDigest = value == "CRC32C"
        case "MaxRecvDataSegmentLength": targetReceive = Self.length(value, targetReceive)
        case "MaxBurstLength": maxBurst = Self.length(value, maxBurst)
        case "FirstBurstLength": firstBurst = Self.length(value, firstBurst)
        case "ImmediateData": immediateData = value == "Yes"
        case "InitialR2T": initialR2T = value == "Yes"
        default: break
        }
    }

    /// A length of a key, in whole sectors.
    private static func length(_ value: Substring, _ current: Int) -> Int {
        guard let number = Int(value), number >= 512, number < 1 << 24 else { return current }
        return number & ~511
    }

    /// Asks for the unit's size.
    mutating func queueCapacity() -> Bool {
        let header = nextHeader()
        header.put(0, Opcode.scsiCommand)
        header.put(1, 0x80 | 0x40 | 1)
        header.putLUN(lun)
        header.put32(16, capacityTag)
        header.put32(20, 32)
        header.put32(24, commandSequence)
        header.put32(28, expectedStatus)
        header.put(32, 0x9E)
        header.put(33, 0x10)
        header.put32(42, 32)
        queue(data: nil, count: 0)
        commandSequence &+= 1
        return flush()
    }
}
