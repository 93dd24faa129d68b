import BlockModel
import Primitives
import SCSIFormats

/// Where a unit's pointer to its state block stands.
enum StatePointer: UInt8 {
    /// Memory has it.
    case none
    /// `wantState` is not answered yet.
    case wanted
    /// Read-only, and standing.
    case granted
    /// Memory wants it back; it goes when nothing executes under it.
    case recalled
    /// `wantStateWrite` is not answered yet.
    case writeWanted
    /// `commitState` is not answered yet.
    case committing
}

/// A logical unit's part of the engine. The ordinal after the last unit is the one of no unit: commands to LUNs that
/// are not there wait in its list, and never need a state pointer.
struct LogicalUnit {
    var index = UnitIndex(.max)
    var lun: UInt16 = 0
    var sectors: UInt64 = 0
    /// Sectors in a logical block, as a power of two: 0 or 3.
    var blockShift: UInt64 = 0
    var preferred = ControllerID.a
    var profile = UnitProfile()

    var pointer = StatePointer.none
    /// A CHECK CONDITION takes other commands along (QERR): they are aborted before anything else goes on.
    var hasFaulted = false
    /// A change that tells the partner of it waits for the write pointer.
    var tellsFault = false
    /// What the device said last of its room, who asks again, and for whom.
    var room = RoomWatch()
    /// Commands that rely on the read-only pointer now.
    var executing = 0
    /// Number of the last event that the nexuses of this controller have learnt; nil before the first grant.
    var seen: UInt64?
    /// Content of the state block when the pointer was last here.
    var home = ControllerID.a
    var mode = ModeImage()
    var savedMode = ModeImage()
    /// … and what follows from it, for every command.
    var flags = ModeFlags.standard
    var exceptions = ExceptionControl()
    /// What its pages depend on.
    var traits: UnitTraits = []

    /// The frame of the state block, while the pointer is here.
    var stateFrame = FrameIndex.none

    /// Errors that are not written down yet, by `StateBlock.EventCounter`; and when they may be.
    var unwritten = InlineArray<4, UInt32>(repeating: 0)
    var countersDue = Instant.zero
    /// A change that writes counters down waits for the write pointer, and wants the partner to do the same.
    var writesCounters = false
    var wantsPoll = false
    /// The partner took the state block since it was last asked for.
    var wasRecalled = false
    /// What this controller did for the unit, and what of it the state block says.
    var activity = StateBlock.Activity()
    var published = StateBlock.Activity()
    /// Nanoseconds without a started command here, and since when there is none.
    var idleTime: UInt64 = 0
    var idleSince = Instant.zero
    /// `poll` and `activityReset` of the state block when it was last here.
    var pollSeen: UInt8 = 0
    var resetSeen: UInt8 = 0
    /// What every command looks at: state of the medium, a format or sanitize operation, marked blocks.
    var medium: MediumState = []
    /// What SET TARGET PORT GROUPS set the groups to, and whether it was the last that changed them.
    var accessStates: (a: UInt8?, b: UInt8?) = (nil, nil)
    var isAccessExplicit = false
    /// The persistent reservation; whether RESERVE holds the unit; when both last changed.
    var reservation: ReservationType?
    var isReserved = false
    var reservationChanges: UInt32?
    /// A change takes out what nexuses left that are gone.
    var isSweepWanted = false
    /// The changes under way must be on the device before they are answered.
    var isCommitDurable = false

    /// Its task set can be full: the commands in it are counted.
    var isTaskSetLimited = false
    var taskSetCount = 0
    /// Waiting commands, oldest first; -1 for none.
    var firstWaiting: Int32 = -1
    var lastWaiting: Int32 = -1
    /// Started commands that have not ended; those of them with ORDERED, and all not ended with HEAD OF QUEUE.
    var live = 0
    var liveOrdered = 0
    var liveHead = 0

    /// State changes to make, oldest first, and those made that wait for the commit; -1 for none.
    var firstChange: Int32 = -1
    var lastChange: Int32 = -1
    var firstApplied: Int32 = -1
    /// The unapplied change of home, which a newer one replaces; -1 for none.
    var homeChange: Int32 = -1

    /// Nobody waits, nothing changes, and the pointer is where it is wanted: there is nothing to settle.
    var isSettled: Bool { firstWaiting < 0 && firstChange < 0 && pointer == .granted && !hasFaulted }

    var blockBytes: UInt32 { 512 << UInt32(blockShift) }
    var blocks: UInt64 { sectors >> blockShift }

    /// Takes over what a state block says.
    mutating func adopt(_ block: StateBlock) {
        home = block.home
        savedMode = block.savedMode
        mode = block.currentMode
        flags = ModeFlags(mode)
        exceptions = ExceptionControl(mode)
    }
}

/// A change of a state block that waits for the write pointer, or for its commit.
struct StateChange {
    enum Kind: UInt8 {
        /// `subject` is the slot of a command that changes shared state; `DeviceServer.change` makes the change.
        case command
        /// `subject` is the place of a task management request.
        case taskManagement
        /// `subject` is the controller's raw value.
        case home
        /// What log pages count; no subject.
        case counters
        /// What nexuses left that are gone is taken out.
        case sweep
        /// How far a format or sanitize operation is.
        case work
        /// The partner's commands go with a CHECK CONDITION here (QERR).
        case queueError
        /// Thresholds of provisioning were reached, or are armed again.
        case thresholds
    }
    var kind = Kind.home
    var subject: UInt16 = 0
    var next: Int32 = -1
}
