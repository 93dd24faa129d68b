import ISCSIFormats
import Primitives

// Login redirection (RFC 7143 §11.13.5, status 0101h): logins go to the other controller's portals for a while.
extension ISCSITarget {
    /// From now on, logins to normal sessions are sent to the portals of a group; nil: they are served. A group that
    /// has no portal, or is our own, is none. Sessions that are there stay.
    package mutating func redirectLogins(toGroup group: UInt16?) {
        let isElsewhere = group != configuration.portalGroupTag
        redirection = isElsewhere && configuration.portals.contains { $0.groupTag == group } ? group : nil
    }

    /// Logins are sent elsewhere.
    package var isRedirecting: Bool { redirection != nil }

    /// Whether the initiator is to log in elsewhere. One that was sent away and is back within `redirectPatience` could
    /// not log in there, or was sent back: it is served, so that two controllers cannot send it to and fro.
    mutating func isSentAway(_ index: Int, _ login: LoginNegotiation) -> Bool {
        if redirection == nil || login.discovery { return false }
        let now = connections[index].lastReceived
        return !redirected.comesBack(login.initiatorName, login.first.isid, at: now, within: limits.redirectPatience)
    }

    /// TargetAddress of the portal that stands where ours does, or of the group's first; without the portal group tag
    /// (RFC 7143 §13.8).
    func redirectionText(_ index: Int) -> [UInt8] {
        let portals = configuration.portals.filter { $0.groupTag == redirection }
        let place = Int(connections[index].portal)
        var writer = KeyValueWriter()
        if let portal = place < portals.count ? portals[place] : portals.first {
            writer.append(TextKey.targetAddress.row.name, portal.address)
        }
        return writer.bytes
    }
}

/// Initiator ports that were sent to the other controller, the newest ones.
struct RedirectMemory {
    private var entries: [(key: UInt64, at: Instant)] = []
    private var next = 0

    /// Whether the port was sent away a short while ago; if not, it is now. One return is granted for each time.
    mutating func comesBack(_ name: [UInt8], _ isid: ISID, at now: Instant, within patience: Interval) -> Bool {
        // FNV-1a: two ports that collide are served where they are, which hurts nobody.
        var key: UInt64 = 0xCBF2_9CE4_8422_2325 ^ isid.raw
        for byte in name { key = (key ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
        if let place = entries.firstIndex(where: { $0.key == key }) {
            let isBack = now < entries[place].at + patience
            if isBack { entries.remove(at: place) } else { entries[place].at = now }
            return isBack
        }
        if entries.count < Sizes.redirected {
            entries.append((key, now))
        } else {
            entries[next] = (key, now)
            next = (next + 1) % Sizes.redirected
        }
        return false
    }
}
