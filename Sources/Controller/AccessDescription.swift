import BlockModel
import Primitives

/// Who may log in to a target, or discover, and what they get; the first entry that fits an initiator's name counts.
package struct AccessDescription: Sendable {
    /// A CHAP name, and the index of its secret in `ArrayDescription.credentials`.
    package struct Account: Sendable, Equatable {
        package var name: String
        package var credential: Int
        package init(name: String, credential: Int) {
            self.name = name
            self.credential = credential
        }
    }
    /// The unit that a LUN of these initiators names.
    package struct Mapping: Sendable, Equatable {
        package var lun: UInt16
        package var unit: UnitIndex
        package init(lun: UInt16, unit: UnitIndex) {
            self.lun = lun
            self.unit = unit
        }
    }

    /// iSCSI names in lower case; one that ends in `*` stands for all that begin like it.
    package var initiators = ["*"]
    /// What initiators prove; nil: nothing.
    package var chap: Account?
    /// What the target proves to initiators that ask it to; nil: it cannot.
    package var mutual: Account?
    /// nil: every unit under its own number.
    package var mappings: [Mapping]?
    package var readOnly = false
    /// Sessions of one initiator with the target at once; nil: as many as there are.
    package var maxSessions: Int?
    /// Commands of a session that are admitted at once; nil: the array's limit.
    package var commandWindow: Int?
    package init() {}
}

/// A secret of CHAP: where it is, and what it is for.
package struct CredentialDescription: Sendable {
    /// Where its text stands: in a file (absolute path), or in the configuration itself.
    package enum Place: Sendable {
        case file(String)
        case here(HiddenText)
    }
    package var place: Place
    /// Its dotted name in the configuration.
    package var key: String
    /// The target proves it (mutual CHAP); else initiators do.
    package var isTargets: Bool
    package init(place: Place, key: String, isTargets: Bool) {
        self.place = place
        self.key = key
        self.isTargets = isTargets
    }
}

/// Bytes that no log, message or dump shows.
package struct HiddenText: Sendable, Equatable, CustomStringConvertible, CustomDebugStringConvertible,
    CustomReflectable {
    package let bytes: [UInt8]
    package init(_ text: String) { bytes = Array(text.utf8) }
    package var description: String { "(hidden)" }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: []) }
}

/// Limits of the front end that a configuration may set; nil: what is built in.
package struct TransportLimits: Sendable, Equatable {
    /// Whether digests are negotiated.
    package enum Digest: UInt8, Sendable { case never, allowed, required }

    package var sessions: Int?
    package var connectionsPerSession: UInt16?
    package var maxErrorRecoveryLevel: UInt8?
    package var commandWindow: Int?
    package var loginTime: Interval?
    /// Zero: initiators are never pinged.
    package var pingAfter: Interval?
    package var pingPatience: Interval?
    package var headerDigest: Digest?
    package var dataDigest: Digest?
    /// Refuse unsolicited data.
    package var requireInitialR2T: Bool?
    package var allowImmediateData: Bool?
    package var maxRecvDataSegmentLength: UInt32?
    package var maxBurstLength: UInt32?
    package var firstBurstLength: UInt32?
    package init() {}
}
