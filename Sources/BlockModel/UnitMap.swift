import Primitives

/// Where a unit's sectors and its state block live: what Memory knows of a unit.
package struct UnitMap: Sendable {
    /// Sectors of 512 bytes in the unit.
    package var sectors: UInt64
    package var device: DeviceIndex
    /// Byte offset of sector 0 on the device.
    package var dataOffset: UInt64
    /// Byte offset of the 4 KiB that keep the unit's state block on the device.
    package var stateOffset: UInt64
    /// The controller that is home while nobody moved it.
    package var preferred: ControllerID
    package var policy: Policy
    /// Room on the device is taken before a write is acknowledged that needs it, and given back by `discard`.
    package var thin = false
    /// Pages have trailers with protection information; each takes `UnitMap.protectedPageBytes` of the device.
    package var isProtected = false

    /// Bytes of a page with its trailer on a device: the trailer has a sector of its own behind the page's.
    @inlinable package static var protectedPageBytes: UInt64 { UInt64(PageSize.bytes) + 512 }
    /// Bytes that `bytes` of a unit take on its device.
    @inlinable package static func deviceBytes(_ bytes: UInt64, isProtected: Bool) -> UInt64 {
        let page = UInt64(PageSize.bytes)
        return isProtected ? (bytes + page - 1) / page * protectedPageBytes : bytes
    }

    package init(
        sectors: UInt64, device: DeviceIndex, dataOffset: UInt64, stateOffset: UInt64, preferred: ControllerID,
        policy: Policy
    ) {
        self.sectors = sectors
        self.device = device
        self.dataOffset = dataOffset
        self.stateOffset = stateOffset
        self.preferred = preferred
        self.policy = policy
    }
}

/// The first MiB of a device belongs to the array: labels, then the state blocks of the units on it.
package enum DeviceLayout {
    /// Bytes before the first byte of data.
    @inlinable package static var labelArea: UInt64 { 1 << 20 }
    /// Where the state block of the `n`-th unit on a device stands; labels at 0, so states begin at 64 KiB.
    @inlinable package static func stateOffset(_ n: Int) -> UInt64 { (64 << 10) + UInt64(n) * 4096 }
    /// The most units on one device.
    @inlinable package static var units: Int { 224 }
}
