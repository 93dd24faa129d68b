import ISCSITarget
import Primitives
import SCSITarget

// Access by initiator, as the two engines that it concerns know it: rules for logins, views for commands.
extension ArrayDescription {
    /// What the device server shows; the first view is everything, and each entry that shows less has one of its own.
    var views: [DeviceServerView] {
        [DeviceServerView()] + targets.flatMap { $0.access.filter(Self.hasView) }.map { entry in
            DeviceServerView(
                mappings: entry.mappings?.map { .init(lun: $0.lun, unit: $0.unit) }, readOnly: entry.readOnly)
        }
    }

    /// The rules of each target; their views are counted as `views` has them.
    var accessRules: [[AccessRule]] {
        var views: UInt16 = 0
        return targets.map { target in
            target.access.map { entry in
                var rule = Self.rule(entry)
                if Self.hasView(entry) {
                    views += 1
                    rule.view = views
                }
                return rule
            }
        }
    }

    /// Who may discover.
    var discoveryRules: [AccessRule] { discovery.map(Self.rule) }

    private static func hasView(_ entry: AccessDescription) -> Bool { entry.mappings != nil || entry.readOnly }

    private static func rule(_ entry: AccessDescription) -> AccessRule {
        var rule = AccessRule(initiators: entry.initiators)
        rule.account = entry.chap.map(account)
        rule.mutual = entry.mutual.map(account)
        rule.maxSessions = entry.maxSessions
        rule.commandWindow = entry.commandWindow
        return rule
    }

    private static func account(_ account: AccessDescription.Account) -> AccessRule.Account {
        .init(name: account.name, credential: UInt16(truncatingIfNeeded: account.credential))
    }

    /// The limits that were configured, in the engine's.
    func apply(_ given: TransportLimits, to limits: inout ISCSITargetConfiguration.Limits) {
        func digest(_ given: TransportLimits.Digest?) -> DigestPolicy {
            given.flatMap { DigestPolicy(rawValue: $0.rawValue) } ?? .allowed
        }
        limits.maxSessions = min(given.sessions ?? limits.maxSessions, ControllerLimits.sessions)
        limits.maxConnectionsPerSession = given.connectionsPerSession ?? limits.maxConnectionsPerSession
        limits.maxErrorRecoveryLevel = given.maxErrorRecoveryLevel ?? limits.maxErrorRecoveryLevel
        limits.commandWindow = given.commandWindow ?? limits.commandWindow
        limits.loginTime = given.loginTime ?? limits.loginTime
        limits.pingAfter = given.pingAfter ?? limits.pingAfter
        limits.pingPatience = given.pingPatience ?? limits.pingPatience
        limits.headerDigest = digest(given.headerDigest)
        limits.dataDigest = digest(given.dataDigest)
        limits.requireInitialR2T = given.requireInitialR2T ?? limits.requireInitialR2T
        limits.allowImmediateData = given.allowImmediateData ?? limits.allowImmediateData
        limits.maxRecvDataSegmentLength = given.maxRecvDataSegmentLength ?? limits.maxRecvDataSegmentLength
        limits.maxBurstLength = given.maxBurstLength ?? limits.maxBurstLength
        limits.firstBurstLength = given.firstBurstLength ?? limits.firstBurstLength
    }
}
