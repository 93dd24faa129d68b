import Primitives

/// Protection information as the initiators make and check it (SBC-3 §4.22), apart from the product's own code but for
/// the CRC.
enum InitiatorProtection {
    /// APPLICATION TAG of what the initiators send.
    static let applicationTag: UInt16 = 0x5347
    private static let bytes = 8

    /// The 8 bytes of a block.
    private static func tuple(_ data: UnsafeRawPointer, type: UInt8, block: UInt64, tag: UInt16) -> [UInt8] {
        let code = Checksum.blockGuard(data, SectorPattern.bytes)
        let reference = type == 3 ? 0xFFFF_FFFF : UInt32(truncatingIfNeeded: block)
        return [UInt8(code >> 8), UInt8(code & 0xFF), UInt8(tag >> 8), UInt8(tag & 0xFF)]
            + [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: reference >> $0) }
    }

    /// Blocks with their protection information behind each. `count` blocks from `block` on, or as many again (COMPARE
    /// AND WRITE).
    static func interleave(_ data: [UInt8], type: UInt8, block: UInt64, count: Int) -> [UInt8] {
        var wire: [UInt8] = []
        wire.reserveCapacity(data.count / SectorPattern.bytes * (SectorPattern.bytes + bytes))
        data.withUnsafeBytes { buffer in
            guard let base = buffer.baseAddress else { return }
            for index in 0..<data.count / SectorPattern.bytes {
                let at = index * SectorPattern.bytes
                wire += buffer[at..<at + SectorPattern.bytes]
                wire += tuple(base + at, type: type, block: block + UInt64(index % count), tag: applicationTag)
            }
        }
        return wire
    }

    /// The blocks of what a read returned, or what is wrong with their protection information.
    static func separate(
        _ wire: [UInt8], type: UInt8, block: UInt64
    ) -> (data: [UInt8], wrong: String?) {
        let length = SectorPattern.bytes + bytes
        var data: [UInt8] = []
        var wrong: String?
        for index in 0..<wire.count / length {
            let content = Array(wire[index * length..<index * length + SectorPattern.bytes])
            let found = Array(wire[index * length + SectorPattern.bytes..<(index + 1) * length])
            data += content
            let number = block + UInt64(index)
            let expected = content.withUnsafeBytes { buffer in
                buffer.baseAddress.map { base in
                    [applicationTag, 0].map { tuple(base, type: type, block: number, tag: $0) }
                } ?? []
            }
            let isUnwritten = found.allSatisfy { $0 == 0xFF } && content.allSatisfy { $0 == 0 }
            if wrong == nil, !isUnwritten, !expected.contains(found) { wrong = "sector \(number) has \(found)" }
        }
        return (data, wrong)
    }
}

extension InitiatorCommand {
    /// Makes the command transfer protection information, checked as `code` says.
    mutating func protect(code: UInt8, type: UInt8, block: UInt64, count: Int) {
        cdb[1] |= code << 5
        switch transfer {
        case .none: break
        case .read(let bytes): transfer = .read(bytes / SectorPattern.bytes * (SectorPattern.bytes + 8))
        case .write(let data):
            transfer = .write(InitiatorProtection.interleave(data, type: type, block: block, count: count))
        }
    }
}

extension SimulatedInitiator {
    /// Half of the transfers to units with protection information of types 1 and 3 take it along.
    func protect(_ command: inout InitiatorCommand, _ operation: inout Operation) {
        let type = world.parameters.protection
        guard type == 1 || type == 3, operation.kind == .read || operation.kind == .write,
            world.random.chance(1, in: 2)
        else { return }
        operation.protect = 1 + UInt8(world.random.below(5))
        command.protect(
            code: operation.protect, type: type, block: UInt64(operation.sector), count: operation.count)
    }

    /// The user data of a read that ended well; what came with them must be theirs.
    func separate(_ operation: Operation, _ data: [UInt8]) -> [UInt8] {
        if operation.protect == 0 { return data }
        let (blocks, wrong) = InitiatorProtection.separate(
            data, type: world.parameters.protection, block: UInt64(operation.sector))
        if let wrong {
            world.fail(.wrongData, "protection information in unit \(operation.unit): \(wrong)")
        }
        return blocks
    }
}
