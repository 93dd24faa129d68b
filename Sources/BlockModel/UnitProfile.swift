/// How the two target port groups differ (SPC-5 §5.17) while both controllers are there.
package enum AccessStyle: UInt8, Sendable, CaseIterable {
    /// The home's group is optimized, the other active/non-optimized.
    case asymmetric
    /// Both say that they are optimized.
    case symmetric
    /// The other group is in standby, or unavailable.
    case standby
    case unavailable
}

/// What a unit is beside its capacity and block length: settings of the configuration, the same on both controllers,
/// fixed while the array runs. The device server reports and obeys them, Memory obeys what concerns storage.
package struct UnitProfile: Hashable, Sendable {
    /// LOGICAL BLOCKS PER PHYSICAL BLOCK EXPONENT (READ CAPACITY (16), SBC-4 §5.22.2): 3 for 512e, else 0.
    package var physicalExponent: UInt8 = 0
    /// RMB of INQUIRY: the medium can be loaded, ejected, and kept from being removed.
    package var removable = false
    /// Every command that writes is refused (WRITE PROTECTED).
    package var readOnly = false
    /// Resources are taken when blocks are first written, and given back by UNMAP (SBC-4 §4.7.3).
    package var thin = false
    /// The longest write that is all-or-nothing by WRITE ATOMIC, in bytes; 0: there is no such command.
    package var atomicBytes: UInt32 = 0
    /// Type of T10 protection information (SBC-4 §4.21): 0 none, 1, 2 or 3; only of units with blocks of 512 bytes.
    package var protectionType: UInt8 = 0
    /// What the target port group of the controller that is not home says.
    package var accessStyle = AccessStyle.asymmetric
    /// The most commands in the unit's task set on one controller (SAM-5 §5.3.1, TASK SET FULL).
    package var taskSetLimit: UInt16 = 1024
    /// VERSION of INQUIRY: 05h (SPC-3) or 06h (SPC-4).
    package var version: UInt8 = 0x06
    package init() {}
}
