import BlockModel
import Primitives
import Testing

@testable import Memory

/// The map of what a thin unit has room for.
@Suite struct RoomTests {
    /// A unit of 1 GiB has a bit for each of its granules of 1 MiB; where one is missing, a write would ask for room
    /// for ever.
    @Test func everyGranuleOfAThinUnitHasABit() {
        var map = UnitMap(
            sectors: 1 << 21, device: DeviceIndex(0), dataOffset: 1 << 20, stateOffset: 64 << 10, preferred: .a,
            policy: .standard)
        map.thin = true
        var unit = UnitState(map)
        defer { unit.room.deallocate() }
        for granule in [0, 63, 64, 1000, 1023] as [UInt64] {
            #expect(!unit.room[granule])
            unit.room.set(granule)
            #expect(unit.room[granule], "granule \(granule)")
        }
    }
}
