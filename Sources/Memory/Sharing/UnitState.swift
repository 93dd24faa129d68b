import BlockModel
import PagingFormats
import Primitives

/// What the memory knows of a unit: its map, its policy's rows, and who uses its state block.
struct UnitState {
    /// The most rows of a policy.
    static var rowLimit: Int { 8 }

    let sectors: UInt64
    let device: DeviceIndex
    let dataOffset: UInt64
    let stateOffset: UInt64
    /// Pages have trailers with protection information: they are always whole, here and on the device.
    let isProtected: Bool
    /// Bytes of a page on the device.
    let pageBytes: UInt64
    let preferred: ControllerID
    let rows: [PolicyRow]
    let rowCount: Int
    /// A bit for each row: its writes are mirrored …
    let mirrors: UInt8
    /// … and acknowledged when both memories have them; or, alone, when the one has.
    let mirrorsBack: UInt8
    let keepsBackAlone: UInt8
    let watermarks: (high: UInt8, low: UInt8)
    /// Pages a memory block, by row.
    let blockPages: [UInt32]
    let readAhead: [UInt32]
    let destageAge: Interval
    /// Granules whose room on a thin device is known to be taken, while this controller may write them.
    var room: RoomMap

    /// The state block's content is known; `content` is its frame.
    var isLoaded = false
    var content = FrameIndex.none
    /// When a read that the device failed is tried again.
    var readAt = Instant.zero
    /// The frame of a state version under construction.
    var draft = FrameIndex.none
    /// The controller that is home, by the state block.
    var home: ControllerID

    /// The user has the standing read-only pointer, …
    var userHolds = false
    /// … was asked to give it back, …
    var userRecalled = false
    /// … waits for it, …
    var userWants = false
    /// … or for the write pointer.
    var userWantsWrite = false
    /// A draft is lent or being committed.
    var isWriting = false
    var writerIsUser = false
    /// This controller must write itself into the state block as home, with the unit attention for it.
    var mustClaim = false
    /// Both controllers were down: the state block must be told before anybody reads it.
    var mustCyclePower = false
    var mustWrite: Bool { mustClaim || mustCyclePower }
    /// The home is moving to the partner: no new operation begins.
    var isMoving = false
    /// A move is wanted, and hosts are still served until little is left to be cleaned, or until `moveBy`.
    var isPreparingMove = false
    var moveBy = Instant.zero
    /// Groups published so far: a read that saw pages of before and after one looks again.
    var groupsPublished: UInt64 = 0
    /// The new home has not confirmed yet.
    var isHandingOver = false

    init(_ map: UnitMap) {
        sectors = map.sectors
        device = map.device
        dataOffset = map.dataOffset
        stateOffset = map.stateOffset
        isProtected = map.isProtected
        pageBytes = UnitMap.deviceBytes(UInt64(PageSize.bytes), isProtected: map.isProtected)
        preferred = map.preferred
        home = map.preferred
        rows = Array(map.policy.rows.prefix(Self.rowLimit))
        rowCount = rows.count
        mirrors = Self.mask(rows) { $0.mirror }
        mirrorsBack = Self.mask(rows) { $0.mirror && $0.writeBack }
        keepsBackAlone = Self.mask(rows) { $0.keepBackAlone }
        watermarks = (map.policy.highWatermark, map.policy.lowWatermark)
        blockPages = rows.map { $0.blockSize / UInt32(PageSize.bytes) }
        readAhead = rows.map(\.readAhead)
        room = RoomMap(granules: map.thin ? ((map.sectors * 512) >> 20) + 1 : 0)
        destageAge = rows.map(\.destageAge).min() ?? .seconds(1)
    }

    /// Pages in the unit.
    var pageCount: UInt64 { (sectors + UInt64(PageSize.sectors) - 1) / UInt64(PageSize.sectors) }

    /// Byte offset of a page on the device; nothing is there for the parts of a page before it.
    func offset(ofPage page: UInt64) -> UInt64 { dataOffset + page * pageBytes }

    private static func mask(_ rows: [PolicyRow], _ holds: (PolicyRow) -> Bool) -> UInt8 {
        rows.enumerated().reduce(0) { $0 | (holds($1.element) ? 1 << UInt8($1.offset) : 0) }
    }

    /// The policy row for a request of so many sectors.
    func row(forSectors count: UInt32) -> UInt8 {
        if rowCount == 1 { return 0 }
        let bytes = UInt64(count) * 512
        var row = 0
        while row + 1 < rows.count, bytes > rows[row].upTo { row += 1 }
        return UInt8(row)
    }
}
