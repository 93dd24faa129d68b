import ISCSIFormats
import PagingFormats
import Primitives

/// Formats: whatever was read is written so that it is read again as the same; whatever was made is read as it was
/// made. The first byte chooses the format, the rest is its bytes.
struct CodecsTarget {
    let oracle: Oracle
    var input: FuzzInput

    static func run(_ input: inout FuzzInput, _ oracle: Oracle) {
        let choice = input.below(27)
        var target = CodecsTarget(oracle: oracle, input: input)
        if choice < 20 { target.pdus(choice) } else { target.pairs(choice) }
        input = target.input
    }

    // MARK: PDUs

    private mutating func pdus(_ choice: Int) {
        switch choice {
        case 0: header({ LoginRequestPDU(decoding: $0) }, { $0.encode(into: $1) })
        case 1: header({ LoginResponsePDU(decoding: $0) }, { $0.encode(into: $1) })
        case 2: header({ SCSICommandPDU(decoding: $0) }, { $0.encode(into: $1) })
        case 3: header({ SCSIResponsePDU(decoding: $0) }, { $0.encode(into: $1) })
        case 4: header({ DataOutPDU(decoding: $0) }, { $0.encode(into: $1) })
        case 5: header({ DataInPDU(decoding: $0) }, { $0.encode(into: $1) })
        case 6: header({ ReadyToTransferPDU(decoding: $0) }, { $0.encode(into: $1) })
        case 7: header({ TaskManagementRequestPDU(decoding: $0) }, { $0.encode(into: $1) })
        case 8: header({ TaskManagementResponsePDU(decoding: $0) }, { $0.encode(into: $1) })
        case 9: header({ TextRequestPDU(decoding: $0) }, { $0.encode(into: $1) })
        case 10: header({ TextResponsePDU(decoding: $0) }, { $0.encode(into: $1) })
        case 11: header({ LogoutRequestPDU(decoding: $0) }, { $0.encode(into: $1) })
        case 12: header({ LogoutResponsePDU(decoding: $0) }, { $0.encode(into: $1) })
        case 13: header({ NOPOutPDU(decoding: $0) }, { $0.encode(into: $1) })
        case 14: header({ NOPInPDU(decoding: $0) }, { $0.encode(into: $1) })
        case 15: header({ RejectPDU(decoding: $0) }, { $0.encode(into: $1) })
        case 16: header({ AsyncMessagePDU(decoding: $0) }, { $0.encode(into: $1) })
        case 17: header({ SNACKRequestPDU(decoding: $0) }, { $0.encode(into: $1) })
        default: texts()
        }
    }

    /// A basic header segment: every one can be read.
    private mutating func header<PDU>(
        _ decode: (UnsafeRawPointer) -> PDU, _ encode: (PDU, UnsafeMutableRawPointer) -> Void
    ) {
        same(size: Field.headerLength, checksum: nil, { decode($0) }, encode)
    }

    /// Bytes that can be read are written, read, and written again: both times the same.
    private mutating func same<Value>(
        size: Int, checksum: Int?, _ decode: (UnsafeRawPointer) -> Value?,
        _ encode: (Value, UnsafeMutableRawPointer) -> Void
    ) {
        var given = input.take(size)
        given += [UInt8](repeating: 0, count: size - given.count)
        if let checksum { Self.seal(&given, checksum) }
        guard let value = given.withUnsafeBytes({ raw in raw.baseAddress.flatMap(decode) }) else { return }
        let first = Self.bytes(size) { encode(value, $0) }
        guard let again = first.withUnsafeBytes({ raw in raw.baseAddress.flatMap(decode) }) else {
            return oracle.expect(false, "what \(Value.self) writes cannot be read")
        }
        let second = Self.bytes(size) { encode(again, $0) }
        oracle.expect(first == second, "\(Value.self) is another one after it was written and read")
    }

    private static func bytes(_ size: Int, _ body: (UnsafeMutableRawPointer) -> Void) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: size)
        bytes.withUnsafeMutableBytes { raw in if let base = raw.baseAddress { body(base) } }
        return bytes
    }

    /// Puts the CRC32C of everything before it at `place`.
    private static func seal(_ bytes: inout [UInt8], _ place: Int) {
        bytes.withUnsafeMutableBytes { raw in
            guard let base = raw.baseAddress else { return }
            base.put(little32: Checksum.crc32c(base, place), place)
        }
    }

    /// Key=value text: what is read is written so that the same pairs are read again.
    private mutating func texts() {
        let text = input.rest()
        text.withUnsafeBytes { raw in
            var reader = KeyValueReader(raw)
            var writer = KeyValueWriter()
            var pairs = 0
            while let pair = try? reader.next() {
                writer.append(pair.key, String(decoding: pair.value, as: UTF8.self))
                if let number = TextValue.number(pair.value) {
                    oracle.expect(number <= UInt64.max >> 1 || pair.value.count >= 16, "\(number) out of few digits")
                }
                _ = TextValue.boolean(pair.value)
                pairs += 1
                if String(validating: pair.value, as: UTF8.self) == nil { return }
            }
            writer.bytes.withUnsafeBytes { again in
                var reader = KeyValueReader(again)
                var found = 0
                while (try? reader.next()) != nil { found += 1 }
                oracle.expect(found == pairs, "\(pairs) pairs were written, \(found) are read")
            }
        }
    }

    // MARK: Formats of the pair

    private mutating func pairs(_ choice: Int) {
        switch choice {
        case 20: same(size: 112, checksum: nil, { PagingMessage(decoding: $0) }, { $0.encode(to: $1) })
        case 21: same(size: 64, checksum: 60, { ChannelHeader(decoding: $0) }, { $0.encode(to: $1) })
        case 22:
            same(
                size: ChannelAnnouncement.encodedSize, checksum: nil,
                { ChannelAnnouncement(decoding: $0, count: ChannelAnnouncement.encodedSize) }, { $0.encode(to: $1) })
        case 23:
            let size = WitnessRecord.encodedSize
            same(size: size, checksum: size - 4, { WitnessRecord(decoding: $0) }, { $0.encode(to: $1) })
            made(record(), size, { WitnessRecord(decoding: $0) }, { $0.encode(to: $1) })
        case 24:
            let name = String(decoding: input.take(80), as: UTF8.self)
            let label = DeviceLabel(
                pairID: input.big64(), lineage: input.big64(), epoch: input.big32(), featureLevel: input.big32(),
                devices: input.big32(), name: name)
            made(label, DeviceLabel.slotBytes, { DeviceLabel(decoding: $0) }, { $0.encode(to: $1) })
        case 25:
            var block = Superblock()
            block.pairID = input.big64()
            block.memoryID = .init(high: input.big64(), low: input.big64())
            block.incarnation = input.big64()
            block.frames = input.big32()
            block.epoch = input.big32()
            block.lineage = input.big64()
            made(block, RegionLayout.superblockBytes, { Superblock(decoding: $0) }, { $0.encode(to: $1) })
        default:
            guard let message = MessageMaker.carried(MessageMaker.message(&input)) else { return }
            made(message, 112, { PagingMessage(decoding: $0) }, { $0.encode(to: $1) })
        }
    }

    private mutating func record() -> WitnessRecord {
        let member = WitnessRecord.Member(
            memory: .init(high: input.big64(), low: input.big64()), incarnation: input.big64())
        return WitnessRecord(
            pairID: input.big64(), lineage: input.big64(), sequence: input.big64(), epoch: input.big32(),
            state: input.pick([.paired, .soloA, .soloB]), memberA: member, memberB: .absent, dirty: input.flag(),
            featureLevel: input.big32())
    }

    private func made<Value: Equatable>(
        _ value: Value, _ size: Int, _ decode: (UnsafeRawPointer) -> Value?,
        _ encode: (Value, UnsafeMutableRawPointer) -> Void
    ) {
        let bytes = Self.bytes(size) { encode(value, $0) }
        let read = bytes.withUnsafeBytes { raw in raw.baseAddress.flatMap(decode) }
        oracle.expect(read == value, "\(value) was written, \(String(describing: read)) is read")
    }
}
