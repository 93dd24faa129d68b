import BlockModel
import Primitives
import SAM
import SCSIFormats

/// Where a command stands between its arrival and its last word.
enum TaskPhase: UInt8 {
    /// The slot has no command.
    case free
    /// In the unit's waiting list, until `resume` may be done.
    case waiting
    /// `read` is not answered yet.
    case reading
    /// `prepareWrite` is not answered yet.
    case preparing
    /// `commitWrite` is not answered yet.
    case committing
    /// `synchronize` is not answered yet.
    case synchronizing
    /// `discard` is not answered yet.
    case discarding
    /// `verify` is not answered yet.
    case verifying
    /// `provisioning` is not answered yet.
    case querying
    /// `room` is not answered yet.
    case awaitingRoom
    /// `sendDataIn` of pages is not confirmed yet.
    case sending
    /// `sendDataIn` of a part of parameter data is not confirmed yet.
    case sendingParameters
    /// `receiveDataOut` is not confirmed yet.
    case receiving
    /// A change of the unit's state block waits to be made, or to be committed.
    case changingState
    /// The format or sanitize operation that it began goes on.
    case working
    /// `release` of an unanswered operation is not answered yet; the command ends then.
    case releasing
}

/// What a waiting command does when it may go on.
enum TaskResume: UInt8 {
    case start
    /// The next chunk of a READ.
    case nextRead
    /// The received chunk of a WRITE is committed.
    case commit
    /// The received piece of a VERIFY is compared.
    case compare
    /// The received block of a WRITE SAME is written.
    case pattern
    /// The received parameter list is looked at.
    case list
    /// The next part of parameter data that come from the state block.
    case parameters
    /// The end of a move of home that it asked for.
    case home
}

/// How a command ends whose change of the state block is committed.
enum ChangeVerdict {
    case done
    /// GOOD when home has moved.
    case moving(ControllerID)
    /// It began a format or sanitize operation.
    case begun
    /// With another status than GOOD: RESERVATION CONFLICT.
    case refused(Status)
    case failed(SenseData)
}

/// What the statistics count a command as.
enum CountedAs: UInt8 { case none, read, write }

/// How a command that will not complete normally ends.
enum TaskFate: UInt8 {
    /// It completes.
    case none
    /// Aborted by another nexus: TASK ABORTED, where TAS is one (SAM-6 §5.6).
    case cleared
    /// Aborted by its own nexus, or where TAS is zero: no response.
    case aborted
    /// Its connection is gone: no response.
    case lost
}

/// Whose CHECK CONDITION aborts a command as soon as the event under way is over.
enum TaskDoom: UInt8 { case none, ofAnother, ofItsNexus }

/// One command in its slot. It changes only by `DeviceServer`; a free slot's content means nothing.
struct CommandTask {
    var handle = CommandHandle(slot: 0, generation: 0)
    var cdb = CDB()
    var lun: UInt64 = 0
    /// Arrival order, over commands and task management requests.
    var sequence: UInt64 = 0
    /// When its patience ends, while it waits.
    var deadline = Instant.never
    /// First sector of the range of a medium access command.
    var sector: UInt64 = 0
    /// The range of the block operation under way.
    var chunk = BlockExtent(start: 0, count: 0)
    /// Bytes that the CDB asks to transfer, what is really transferred, and how many are done.
    var total: UInt32 = 0
    var limit: UInt32 = 0
    var moved: UInt32 = 0
    /// Bytes to read of a VERIFY or PRE-FETCH, where they are not transferred.
    var span: UInt32 = 0
    var dataInLength: UInt32 = 0
    var dataOutLength: UInt32 = 0
    /// Neighbours in the waiting list; -1 for none.
    var next: Int32 = -1
    var previous: Int32 = -1
    /// Ordinal of the unit; the count of units for none.
    var unit: UInt16 = 0
    var nexus: UInt16 = 0
    var row: UInt8 = 0
    var phase = TaskPhase.free
    var resume = TaskResume.start
    var fate = TaskFate.none
    var attribute = TaskAttribute.simple
    /// Counted in the unit's `executing`: it relies on the state pointer.
    var holdsState = false
    /// A block operation gave it pages, which it must release.
    var holdsPages = false
    /// The outstanding `sendDataIn` is the last word.
    var final = false
    /// Counted in the unit's `live`.
    var started = false
    /// The pages that the chunk's Data-Out goes to, and the CRC32C of what came (WRITE AND VERIFY with BYTCHK).
    var received = PageRun(list: 0, offset: 0, count: 0)
    var checksum: UInt32 = 0
    /// The code of xxPROTECT; other than zero: blocks are transferred with their protection information, and `wire`
    /// bytes of the chunk are.
    var protect: UInt8 = 0
    var wire: UInt32 = 0
    /// Descriptors of an UNMAP that are done.
    var descriptor: UInt16 = 0
    /// Its range ends at a block that is marked as a pseudo unrecovered error.
    var meetsMark = false
    /// A WRITE SAME that unmaps.
    var clears = false
    /// When it started, and as what its time is counted.
    var began = Instant.zero
    var counted = CountedAs.none
    /// GROUP NUMBER of what is counted.
    var group: UInt8 = 0
    /// A CHECK CONDITION takes it along (QERR): of another nexus, or of its own.
    var doom = TaskDoom.none
    /// A verification failed: it goes on page by page, to find out where.
    var isNarrowing = false
    /// What its change of the state block came to.
    var verdict = ChangeVerdict.done

    init() {}

    /// A command that has just arrived, for unit ordinal `unit`; it waits.
    init(_ command: SCSICommand, unit: Int, row: UInt8, sequence: UInt64) {
        handle = command.handle
        cdb = command.cdb
        lun = command.lun
        self.sequence = sequence
        dataInLength = command.dataInLength
        dataOutLength = command.dataOutLength
        self.unit = UInt16(truncatingIfNeeded: unit)
        nexus = command.nexus.raw
        self.row = row
        attribute = command.attribute
        phase = .waiting
    }

    var slot: Int { handle.slot }
    var token: BlockToken { BlockToken(slot: handle.slot) }
}
