import PagingFormats
import Primitives

/// Makes paging messages whose fields have values that matter: bounds, their neighbours, and what an engine gave.
enum MessageMaker {
    static func message(_ input: inout FuzzInput) -> PagingMessage {
        var message = PagingMessage(input.pick(MessageKind.allCases))
        let bits = input.byte()
        message.isAnswer = bits & 1 == 1
        message.mode = PointerMode(rawValue: bits >> 1 & 3) ?? .none
        message.outcome = ReleaseOutcome(rawValue: bits >> 3 & 3) ?? .unmodified
        message.status = bits & 0x80 == 0 ? .done : MessageStatus(rawValue: UInt8(input.below(8))) ?? .done
        if bits & 0x20 == 0x20 {
            message.method = input.byte()
            message.validMask = input.byte()
            message.dirtyMask = input.byte()
        } else {
            message.validMask = 0xFF
            message.dirtyMask = 0xFF
        }
        message.request = number32(&input)
        message.unit = input.pick([0, 0, 1, 2, 0xFFFF])
        message.groupSize = UInt16(input.byte() & 3)
        message.guid = GUID(high: UInt64(input.byte()), low: UInt64(input.byte()))
        message.firstPage = number64(&input)
        message.pageCount = number32(&input)
        message.slot = number32(&input)
        message.version = PageVersion(
            epoch: UInt32(input.byte() & 7), counter: number64(&input), controller: input.byte() & 1)
        message.dataLength = bits & 0x40 == 0x40 ? input.pick([4096, 4096, 4096, 0, 8, 512, 4095]) : 0
        message.groupCounter = UInt64(input.byte() & 3)
        message.argument = number64(&input)
        message.argument2 = number64(&input)
        return message
    }

    /// The message as it comes out of a frame; nil when it is none that may be in one.
    static func carried(_ message: PagingMessage) -> PagingMessage? {
        var bytes = [UInt8](repeating: 0, count: PagingMessage.encodedSize)
        return bytes.withUnsafeMutableBytes { raw in
            raw.baseAddress.flatMap { base in
                message.encode(to: base)
                return PagingMessage(decoding: base)
            }
        }
    }

    private static func number32(_ input: inout FuzzInput) -> UInt32 {
        let byte = input.byte()
        switch byte {
        case 0..<160: return UInt32(byte & 15)
        case 160..<200: return UInt32(input.byte()) << 2
        case 200..<240: return UInt32(input.big16())
        default: return UInt32.max - UInt32(byte & 15)
        }
    }

    private static func number64(_ input: inout FuzzInput) -> UInt64 {
        let byte = input.byte()
        switch byte {
        case 0..<160: return UInt64(byte & 15)
        case 160..<200: return UInt64(input.byte()) << 8
        case 200..<240: return UInt64(input.big16())
        case 240..<248: return 1 << (56 + UInt64(byte & 7))
        default: return UInt64.max - UInt64(byte & 7)
        }
    }
}
