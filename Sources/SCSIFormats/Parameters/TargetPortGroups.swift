/// ASYMMETRIC ACCESS STATE (SPC-4 table 306).
package enum AsymmetricAccessState: UInt8, Sendable {
    case activeOptimized = 0x0
    case activeNonOptimized = 0x1
    case standby = 0x2
    case unavailable = 0x3
    case logicalBlockDependent = 0x4
    case offline = 0xE
    case transitioning = 0xF

    /// The name that status shows.
    package var name: String {
        switch self {
        case .activeOptimized: "active/optimized"
        case .activeNonOptimized: "active/non-optimized"
        case .standby: "standby"
        case .unavailable: "unavailable"
        case .logicalBlockDependent: "logical block dependent"
        case .offline: "offline"
        case .transitioning: "transitioning"
        }
    }
}

/// A target port group descriptor of REPORT TARGET PORT GROUPS (SPC-4 §6.37), with one port.
package struct TargetPortGroup: Sendable {
    package var identifier: UInt16
    package var relativePort: UInt16
    package var state: AsymmetricAccessState
    /// PREF.
    package var preferred: Bool
    /// SET TARGET PORT GROUPS was the last that changed the states.
    package var explicit: Bool

    package init(
        identifier: UInt16, relativePort: UInt16, state: AsymmetricAccessState, preferred: Bool, explicit: Bool = false
    ) {
        self.identifier = identifier
        self.relativePort = relativePort
        self.state = state
        self.preferred = preferred
        self.explicit = explicit
    }

    /// Appends the parameter data. `extended` is the extended header with IMPLICIT TRANSITION TIME in seconds.
    package static func write(
        _ groups: [TargetPortGroup], extended: Bool, transitionSeconds: UInt8, to writer: inout ParameterWriter
    ) {
        writer.put(big32: 0)
        if extended {
            writer.put(0x10)
            writer.put(transitionSeconds)
            writer.put(big16: 0)
        }
        for group in groups { group.write(to: &writer) }
        writer.patch(big32: UInt32(truncatingIfNeeded: writer.count - 4), at: 0)
    }

    private func write(to writer: inout ParameterWriter) {
        writer.put((preferred ? 0x80 : 0) | state.rawValue)
        // T_SUP, U_SUP, S_SUP, AN_SUP, AO_SUP.
        writer.put(0x8F)
        writer.put(big16: identifier)
        writer.put(0)
        // STATUS CODE: altered by SET TARGET PORT GROUPS, or by implicit asymmetric logical unit access.
        writer.put(explicit ? 0x01 : 0x02)
        writer.put(0)
        writer.put(1)
        writer.put(big16: 0)
        writer.put(big16: relativePort)
    }
}
