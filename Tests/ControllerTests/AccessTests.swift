import BlockModel
import ISCSITarget
import Primitives
import SCSITarget
import Testing

@testable import Controller

/// Access by initiator, cut out of the description for the two engines: the same number means the same view in both.
@Suite struct AccessTests {
    static var description: ArrayDescription {
        var everything = AccessDescription()
        everything.initiators = ["iqn.2026-11.x:a"]
        everything.chap = .init(name: "a", credential: 1)
        everything.maxSessions = 2
        var mapped = AccessDescription()
        mapped.mappings = [.init(lun: 5, unit: UnitIndex(1))]
        var reader = AccessDescription()
        reader.readOnly = true
        return ArrayDescription(
            name: "x", pairID: 1, controllers: [], devices: [], units: [],
            targets: [
                TargetDescription(name: "iqn.2026-11.y:1", access: [everything, mapped]),
                TargetDescription(name: "iqn.2026-11.y:2"),
                TargetDescription(name: "iqn.2026-11.y:3", access: [reader, everything]),
            ])
    }

    @Test func rulesNameTheViewsOfTheirEntries() throws {
        let description = Self.description
        let rules = description.accessRules
        #expect(rules.map { $0.map(\.view) } == [[0, 1], [0], [2, 0]])
        let views = description.views
        #expect(views.count == 3)
        #expect(views[0].mappings == nil && !views[0].readOnly)
        #expect(views[1].mappings?.map(\.lun) == [5] && views[1].mappings?.map(\.unit) == [UnitIndex(1)])
        #expect(views[2].mappings == nil && views[2].readOnly)
        #expect(rules[0][0].account == .init(name: "a", credential: 1) && rules[0][0].maxSessions == 2)
        #expect(rules[1][0].initiators == ["*"] && rules[1][0].account == nil)
        #expect(description.discoveryRules.map(\.initiators) == [["*"]])
    }

    @Test func limitsThatAreNotGivenStayAsTheyAre() {
        var limits = ISCSITargetConfiguration.Limits()
        let usual = limits
        Self.description.apply(TransportLimits(), to: &limits)
        #expect(limits.loginTime == usual.loginTime && limits.maxBurstLength == usual.maxBurstLength)
        #expect(limits.headerDigest == .allowed && limits.maxSessions == usual.maxSessions)
        var given = TransportLimits()
        given.sessions = 1_000_000
        given.headerDigest = .required
        given.pingAfter = .zero
        given.maxErrorRecoveryLevel = 1
        Self.description.apply(given, to: &limits)
        #expect(limits.maxSessions == ControllerLimits.sessions, "no more than there are nexuses")
        #expect(limits.headerDigest == .required && limits.pingAfter == .zero && limits.maxErrorRecoveryLevel == 1)
    }
}
