/// What a unit is, as far as the pages that it has depend on it.
package struct UnitTraits: OptionSet, Sendable {
    package var rawValue: UInt8
    package init(rawValue: UInt8) { self.rawValue = rawValue }
    /// The array has two controllers: target port groups have asymmetric access states.
    package static var pair: Self { Self(rawValue: 1) }
    /// The unit is thin provisioned.
    package static var thin: Self { Self(rawValue: 2) }
    /// VERSION 05h: pages as SPC-3 and SBC-2 have them.
    package static var legacy: Self { Self(rawValue: 4) }
    /// Blocks have protection information.
    package static var protected: Self { Self(rawValue: 128) }
    /// The array can be managed over the network.
    package static var managed: Self { Self(rawValue: 8) }
}
