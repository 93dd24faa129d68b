/// What the world does when an event's time has come. Numbers only: whatever is larger lies in a table of the world.
enum Action {
    /// A controller's process looks at its inbox; `life` tells a later incarnation from this one.
    case wake(host: Int, life: UInt64)
    /// A controller's deadline.
    case tick(host: Int, life: UInt64, at: UInt64)
    /// An event, parked in `World.parked`, reaches a controller's inbox.
    case deliver(host: Int, life: UInt64, parked: Int)
    /// A supervisor starts the process.
    case start(host: Int, attempt: UInt64)
    /// A hung process goes on.
    case resume(host: Int, life: UInt64)
    /// Bytes, or the end, of one direction of a connection arrive.
    case arrive(connection: Int, direction: Int)
    /// The reset of a connection reaches one of its sides.
    case reset(connection: Int, side: Int)
    /// A stream that its controller closed has lingered long enough.
    case lingered(host: Int, life: UInt64, stream: Int, connection: Int)
    /// The answer to `connectChannel`.
    case channelAttempt(host: Int, life: UInt64)
    /// The answer to `openWindow`.
    case windowAttempt(host: Int, life: UInt64)
    /// A device finished a request.
    case deviceDone(device: Int, request: Int)
    /// A witness operation takes effect, then is answered.
    case witnessEffect(Int)
    case witnessReply(Int)
    /// `fencePartner` looks whether the proof is there.
    case fenceCheck(host: Int, life: UInt64)
    /// The end of a partner's process becomes known by its pidfd.
    case endNoticed(host: Int, life: UInt64, partnerLife: UInt64)
    /// A driver without a pidfd of its partner looks at the partner's memory file.
    case look(host: Int, life: UInt64)
    /// The fault schedule goes on; a fault of the table ends.
    case nextFault
    case faultEnds(Int)
    /// An initiator's path: connect (or try again), look at time-outs, log in late.
    case pathConnect(initiator: Int, path: Int, attempt: UInt64)
    case pathOpened(initiator: Int, path: Int, attempt: UInt64)
    case pathTimer(initiator: Int, path: Int, attempt: UInt64)
    /// An initiator issues its next commands.
    case workload(initiator: Int)
    /// The checkers look at both controllers.
    case sample
    /// The end of a phase is checked for.
    case phaseCheck
    /// The reservation script goes on.
    case reservations
}

/// An action with its time. Equal times run in the order of `sequence`, so a run has one order only.
struct ScheduledAction {
    var time: UInt64
    var sequence: UInt64
    var action: Action

    func isBefore(_ other: ScheduledAction) -> Bool {
        time != other.time ? time < other.time : sequence < other.sequence
    }
}

/// Binary heap of scheduled actions.
struct EventHeap {
    private var items: [ScheduledAction] = []
    private var sequence: UInt64 = 0

    init() { items.reserveCapacity(1024) }

    var isEmpty: Bool { items.isEmpty }
    /// Time of the earliest action, nil when there is none.
    var nextTime: UInt64? { items.first?.time }

    mutating func push(_ action: Action, at time: UInt64) {
        sequence += 1
        items.append(ScheduledAction(time: time, sequence: sequence, action: action))
        var child = items.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            if !items[child].isBefore(items[parent]) { break }
            items.swapAt(child, parent)
            child = parent
        }
    }

    mutating func pop() -> ScheduledAction? {
        guard let first = items.first else { return nil }
        let last = items.removeLast()
        if !items.isEmpty {
            items[0] = last
            siftDown()
        }
        return first
    }

    private mutating func siftDown() {
        var parent = 0
        while true {
            var least = parent
            let left = 2 * parent + 1
            if left < items.count && items[left].isBefore(items[least]) { least = left }
            if left + 1 < items.count && items[left + 1].isBefore(items[least]) { least = left + 1 }
            if least == parent { return }
            items.swapAt(parent, least)
            parent = least
        }
    }
}
