import PagingFormats
import Primitives
import Testing

@testable import Pair

/// The pair's rules as tables, against golden copies that a person has read beside pair-rules sections 2 to 4.
@Suite struct TableTests {
    @Test func transitionTable() throws {
        var text = "# pair-rules 2: may the state of a row become the state of a column?\n"
        text += pad("from \\ to", 14) + PairState.allCases.map { pad($0.name, 13) }.joined() + "\n"
        for from in PairState.allCases {
            text += pad(from.name, 14)
            text += PairState.allCases.map { pad(from.mayBecome($0) ? "yes" : "-", 13) }.joined() + "\n"
        }
        try Golden.expect(text, equals: "tables/pair-transitions.txt")
    }

    @Test func startUpTable() throws {
        var text = "# pair-rules 4: what a controller that starts may do.\n"
        text += "# record, memory: what the witness holds, and whether our memory is named there and may be trusted.\n"
        text += "# a, b: before and after the wait of the partner's column, for controller a and for controller b.\n"
        text += pad("record", 13) + pad("dirty", 6) + pad("memory", 7) + pad("partner", 13)
        text += ["a before", "a after", "b before", "b after"].map { pad($0, 17) }.joined() + "\n"
        for record in StartFacts.Record.allCases {
            let memories = record == .paired || record == .soloOwn ? [true, false] : [false]
            for dirty in record == .none ? [false] : [true, false] {
                for memoryIn in memories {
                    for partner in StartFacts.Partner.allCases {
                        text += pad(record.rawValue, 13) + pad(dirty ? "yes" : "no", 6)
                        text += pad(memoryIn ? "in" : "out", 7) + pad(partner.rawValue, 13)
                        for preferred in [true, false] {
                            for waited in [false, true] {
                                let row = StartRow.row(
                                    StartFacts(
                                        record: record, dirty: dirty, memoryIn: memoryIn, partner: partner,
                                        waited: waited, preferred: preferred))
                                text += pad(row.rawValue, 17)
                            }
                        }
                        text += "\n"
                    }
                }
            }
        }
        try Golden.expect(text, equals: "tables/pair-start-up.txt")
    }

    @Test func leaseTable() throws {
        var text = "# pair-rules 3: who answers a sense request with a lease, and for whom a paging message counts.\n"
        text += pad("state", 14) + pad("epoch", 8) + pad("partner", 9) + "lease\n"
        for state in PairState.allCases {
            for same in [true, false] {
                for member in [true, false] {
                    text += pad(state.name, 14) + pad(same ? "same" : "other", 8) + pad(member ? "member" : "not", 9)
                    text += LeaseRule.grants(state, sameEpoch: same, partnerIsMember: member) ? "granted\n" : "-\n"
                }
            }
        }
        text += "\n" + pad("state", 14) + pad("agreeing", 10) + pad("joiner", 8) + "messages\n"
        for state in PairState.allCases {
            for agreeing in [true, false] {
                for joiner in [true, false] {
                    text += pad(state.name, 14) + pad(agreeing ? "yes" : "no", 10) + pad(joiner ? "there" : "no", 8)
                    text += LeaseRule.delivers(state, agreeing: agreeing, joinerThere: joiner) ? "count\n" : "void\n"
                }
            }
        }
        try Golden.expect(text, equals: "tables/pair-leases.txt")
    }

    @Test func recordsThatForbidTheStart() {
        let memory = WitnessRecord.MemoryID(high: 1, low: 2)
        let configuration = {
            var made = PairConfiguration(controller: .a, pairID: 7, incarnation: 3, freshMemoryID: memory)
            made.epochKnown = 5
            made.lineageKnown = 9
            return made
        }()
        let good = WitnessRecord(
            pairID: 7, lineage: 9, sequence: 5, epoch: 5, state: .paired, memberA: .absent, memberB: .absent,
            dirty: true, featureLevel: 1)
        func refusal(_ change: (inout WitnessRecord) -> Void) -> RefusalReason? {
            var record = good
            change(&record)
            return StartRow.refusal(record, configuration)
        }
        #expect(refusal { _ in } == nil)
        #expect(refusal { $0.pairID = 8 } == .foreignPair)
        #expect(refusal { $0.epoch = 4 } == .epochWentBack)
        #expect(refusal { $0.epoch = 6 } == nil)
        #expect(refusal { $0.lineage = 8 } == .lineageUnknown)
        #expect(refusal { $0.featureLevel = 2 } == .featureLevelUnknown)
        #expect(StartRow.refusal(nil, configuration) == .witnessDamaged)
        let new = PairConfiguration(controller: .a, pairID: 7, incarnation: 1, freshMemoryID: memory)
        #expect(StartRow.refusal(nil, new) == nil)
        #expect(StartRow.refusal(good, new) == nil)
    }
}

/// pair-rules 3: a lease comes with an answer, and runs from when its request was sent.
@Suite struct LeaseTests {
    private func at(_ milliseconds: UInt64) -> Instant { Instant(nanoseconds: milliseconds * 1_000_000) }
    private func leases() -> Leases {
        Leases(length: .milliseconds(3000), promise: .milliseconds(3300), at: at(500))
    }

    @Test func leaseRunsFromTheRequestNotFromTheAnswer() {
        var leases = leases()
        let request = leases.request(at: at(1000))
        #expect(leases.end == .zero)
        let granted1 = leases.granted(request)
        #expect(granted1)
        #expect(leases.end == at(4000))
    }

    @Test func anEarlierAnswerThatComesLateShortensNothing() {
        var leases = leases()
        let first = leases.request(at: at(1000))
        let second = leases.request(at: at(1250))
        let granted2 = leases.granted(second)
        #expect(granted2)
        let granted3 = leases.granted(first)
        #expect(!granted3)
        #expect(leases.end == at(4250))
    }

    @Test func answersToRequestsThatWereNeverSentGrantNothing() {
        var leases = leases()
        let granted4 = leases.granted(0)
        #expect(!granted4)
        let granted5 = leases.granted(1)
        #expect(!granted5)
        let granted6 = leases.granted(.max)
        #expect(!granted6)
        let request = leases.request(at: at(1000))
        for _ in 0..<Leases.outstanding { _ = leases.request(at: at(2000)) }
        let granted7 = leases.granted(request)
        #expect(!granted7)
        #expect(leases.end == .zero)
    }

    @Test func aNewEpochVoidsLeaseAndRequests() {
        var leases = leases()
        let request = leases.request(at: at(1000))
        let open = leases.request(at: at(1100))
        let granted8 = leases.granted(request)
        #expect(granted8)
        leases.void()
        #expect(leases.end == .zero)
        let granted9 = leases.granted(open)
        #expect(!granted9)
    }

    @Test func thePromiseLastsATenthLongerAndBeginsWithTheLife() {
        var leases = leases()
        #expect(leases.promiseEnd == at(3800))
        leases.promised(at: at(2000))
        #expect(leases.promiseEnd == at(5300))
        leases.promised(at: at(1000))
        #expect(leases.promiseEnd == at(5300))
    }
}
