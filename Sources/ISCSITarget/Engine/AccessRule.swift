/// Who may log in to a target (or discover), how they prove who they are, and what they get. The first rule that fits
/// an initiator's name counts.
package struct AccessRule: Sendable {
    /// A name of CHAP, and where its secret is.
    package struct Account: Sendable, Equatable {
        /// CHAP_N.
        package var name: String
        /// Index of the secret among the driver's.
        package var credential: UInt16
        package init(name: String, credential: UInt16) {
            self.name = name
            self.credential = credential
        }
    }

    /// iSCSI names in lower case; one that ends in `*` stands for all that begin like it.
    package var initiators: [String]
    /// `NexusIdentity.access` of its sessions.
    package var view: UInt16
    /// What initiators prove; nil: nothing (AuthMethod=None).
    package var account: Account?
    /// What the target proves to initiators that ask it to; nil: it cannot.
    package var mutual: Account?
    /// Sessions of one initiator with the target at once; nil: as many as there are.
    package var maxSessions: Int?
    /// Commands of a session that are admitted at once, where `Limits.commandWindow` has more.
    package var commandWindow: Int?

    package init(initiators: [String] = ["*"], view: UInt16 = 0) {
        self.initiators = initiators
        self.view = view
    }

    /// Whether it is about the initiator with this normalized name.
    func fits(_ initiator: some Collection<UInt8>) -> Bool {
        initiators.contains { pattern in
            let isPrefix = pattern.utf8.last == UInt8(ascii: "*")
            return isPrefix ? initiator.starts(with: pattern.utf8.dropLast()) : initiator.elementsEqual(pattern.utf8)
        }
    }
}

extension ISCSITargetConfiguration {
    /// The index of the target with this normalized name.
    func target(named name: [UInt8]) -> UInt16? {
        for (index, target) in targets.enumerated() where target.lowercased().utf8.elementsEqual(name) {
            return UInt16(truncatingIfNeeded: index)
        }
        return nil
    }

    /// The rule by which an initiator may log in to a target; nil: it may not, and is not told that it is there.
    func rule(_ target: UInt16, _ initiator: some Collection<UInt8>) -> AccessRule? {
        // A target without rules is everybody's.
        guard Int(target) < access.count else { return AccessRule() }
        return access[Int(target)].first { $0.fits(initiator) }
    }
}
