import BlockModel
import PagingFormats
import Primitives

/// What the memory engine asks of others, in order. Messages are long and come seldom beside everything else: they
/// stand in a queue of their own, so that a copy or a clear is not moved as if it were as long as a message.
package struct MemoryEffects: ~Copyable {
    /// An effect, with a mark in the place of each message.
    package enum Entry {
        case storage(StorageRequest)
        case message
        case copy(frame: FrameIndex, slot: UInt32, methods: CopyPreference)
        case clear(slot: UInt32)
        case settle(slot: UInt32)
        case report(MembershipReport)
        case tornFrame(FrameIndex, UnitIndex)
        case deviceFault(DeviceIndex, BlockFault)
        case homeChanged(UnitIndex, ControllerID)
    }
    struct Message {
        var message: PagingMessage
        var data: UnsafeRawPointer?
        var isStable: Bool
    }
    private var entries = Queue<Entry>(capacity: 1024)
    private var messages = Queue<Message>(capacity: 256)

    package var isEmpty: Bool { entries.isEmpty }

    mutating func append(_ effect: MemoryEffect) {
        switch effect {
        case .send(let message, let data, let stable):
            messages.append(Message(message: message, data: data, isStable: stable))
            entries.append(.message)
        case .storage(let request): entries.append(.storage(request))
        case .copy(let frame, let slot, let methods): copy(frame, slot, methods)
        case .clear(let slot): clear(slot)
        case .settle(let slot): entries.append(.settle(slot: slot))
        case .report(let report): entries.append(.report(report))
        case .tornFrame(let frame, let unit): entries.append(.tornFrame(frame, unit))
        case .deviceFault(let device, let fault): entries.append(.deviceFault(device, fault))
        case .homeChanged(let unit, let home): entries.append(.homeChanged(unit, home))
        }
    }

    /// `append(.copy)`, which every mirrored page takes.
    @inline(__always) mutating func copy(_ frame: FrameIndex, _ slot: UInt32, _ methods: CopyPreference) {
        entries.append(.copy(frame: frame, slot: slot, methods: methods))
    }

    /// `append(.clear)`, which every superseded page takes.
    @inline(__always) mutating func clear(_ slot: UInt32) { entries.append(.clear(slot: slot)) }

    /// Takes the oldest effect, or what stands in the place of a message: `takeMessage` follows then.
    @inline(__always) package mutating func popEntry() -> Entry? { entries.popFirst() }

    /// The message in whose place `popEntry` gave `.message`: its data, and whether they stay until the answer.
    package mutating func takeMessage() -> (message: PagingMessage, data: UnsafeRawPointer?, isStable: Bool) {
        guard let next = messages.popFirst() else { preconditionFailure("a message has lost its place") }
        return (next.message, next.data, next.isStable)
    }

    /// Takes the oldest effect, whole.
    package mutating func popFirst() -> MemoryEffect? {
        guard let entry = entries.popFirst() else { return nil }
        switch entry {
        case .message:
            let next = takeMessage()
            return .send(next.message, data: next.data, stable: next.isStable)
        case .storage(let request): return .storage(request)
        case .copy(let frame, let slot, let methods): return .copy(frame: frame, slot: slot, methods: methods)
        case .clear(let slot): return .clear(slot: slot)
        case .settle(let slot): return .settle(slot: slot)
        case .report(let report): return .report(report)
        case .tornFrame(let frame, let unit): return .tornFrame(frame, unit)
        case .deviceFault(let device, let fault): return .deviceFault(device, fault)
        case .homeChanged(let unit, let home): return .homeChanged(unit, home)
        }
    }
}
