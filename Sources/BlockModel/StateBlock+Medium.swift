import Primitives

/// What START STOP UNIT did to a unit (SBC-4 §5.27): nothing is the state of a new one.
package struct MediumState: OptionSet, Sendable {
    package var rawValue: UInt8
    package init(rawValue: UInt8) { self.rawValue = rawValue }
    /// Stopped: it answers, but not for its medium.
    package static var stopped: Self { Self(rawValue: 1) }
    /// The medium was ejected.
    package static var ejected: Self { Self(rawValue: 2) }
}

//   1280  medium state      1281 access state set for a, 1282 for b: 0 none, else the state's value
//   1283  whether SET TARGET PORT GROUPS made the states     1284 home that was asked for: 0 none, 1 a, 2 b
//   1288  background operation: 24 bytes
//   1312  nexuses of a that prevent the removal of the medium, 1314 of b
//   1336  thresholds of provisioning that were reached, and not left since: a bit each
extension StateBlock {
    package var medium: MediumState {
        get { MediumState(rawValue: raw.byte(Self.deviceOffset) & 3) }
        nonmutating set { base.put(byte: newValue.rawValue, Self.deviceOffset) }
    }

    /// How many nexuses of a controller prevent the removal of the medium.
    package func preventing(_ controller: ControllerID) -> UInt16 {
        raw.little16(Self.deviceOffset + 32 + Int(controller.rawValue) * 2)
    }

    /// Keeps that number.
    package func set(preventing count: UInt16, _ controller: ControllerID) {
        base.put(little16: count, Self.deviceOffset + 32 + Int(controller.rawValue) * 2)
    }

    /// Whether any nexus prevents the removal of the medium.
    package var isRemovalPrevented: Bool { ControllerID.allCases.contains { preventing($0) > 0 } }

    /// The provisioning thresholds that were reported and are not armed again, a bit for each descriptor of the Logical
    /// Block Provisioning mode page.
    package var reachedThresholds: UInt8 {
        get { raw.byte(Self.deviceOffset + 56) }
        nonmutating set { base.put(byte: newValue, Self.deviceOffset + 56) }
    }

    // MARK: Asymmetric access (SPC-5 §5.17)

    /// The state that a controller's group was set to and is in while it is not the optimized one: standby (2) or
    /// unavailable (3); nil: active.
    package func accessState(_ controller: ControllerID) -> UInt8? {
        let value = raw.byte(Self.deviceOffset + 1 + Int(controller.rawValue))
        return value == 0 ? nil : value
    }

    /// Sets it.
    package func set(accessState: UInt8?, _ controller: ControllerID) {
        base.put(byte: accessState ?? 0, Self.deviceOffset + 1 + Int(controller.rawValue))
    }

    /// Whether SET TARGET PORT GROUPS was the last that changed access states.
    package var isAccessExplicit: Bool {
        get { raw.byte(Self.deviceOffset + 3) == 1 }
        nonmutating set { base.put(byte: newValue ? 1 : 0, Self.deviceOffset + 3) }
    }

    /// The controller that is to become home as soon as the present home sees it. Whoever is not home cannot move it.
    package var wantedHome: ControllerID? {
        get {
            switch raw.byte(Self.deviceOffset + 4) {
            case 1: .a
            case 2: .b
            default: nil
            }
        }
        nonmutating set { base.put(byte: newValue.map { $0.rawValue + 1 } ?? 0, Self.deviceOffset + 4) }
    }

    /// One controller is alone: whatever the groups were set to, it serves.
    package func forgetAccessStates() {
        for controller in ControllerID.allCases { set(accessState: nil, controller) }
        isAccessExplicit = false
        wantedHome = nil
    }
}
