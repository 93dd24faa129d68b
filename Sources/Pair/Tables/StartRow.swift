import PagingFormats

/// What a controller that starts knows: the columns of pair-rules section 4.
package struct StartFacts: Equatable, Sendable {
    /// The record, as it concerns this controller.
    package enum Record: String, Sendable, CaseIterable { case none, paired, soloOwn, soloPartner }

    /// The partner, as far as it can be seen.
    package enum Partner: String, Sendable, CaseIterable {
        /// Not on the channel, and not known to have ended.
        case silent
        /// Its process is not there.
        case ended
        /// On the channel, but what the witness tells it is not known yet.
        case undecided
        /// Starting; it found no record, and its memory was never in one.
        case creating
        /// Starting; its memory is in the record.
        case startingIn
        /// Starting; its memory is not in the record.
        case startingOut
        /// Paired, candidate, or taking over.
        case member
        /// Solo, and it may be joined.
        case solo
    }

    package var record: Record
    /// The record says that something acknowledged is not on the devices.
    package var dirty: Bool
    /// This controller's memory is named in the record, and may be trusted.
    package var memoryIn: Bool
    package var partner: Partner
    /// The wait of the partner's column is over: a promise of an earlier life and some grace for a silent one, some
    /// grace for one that ended, in both cases a little more for the controller that is not preferred.
    package var waited: Bool
    /// This is controller a.
    package var preferred: Bool

    package init(
        record: Record, dirty: Bool, memoryIn: Bool, partner: Partner, waited: Bool, preferred: Bool
    ) {
        self.record = record
        self.dirty = dirty
        self.memoryIn = memoryIn
        self.partner = partner
        self.waited = waited
        self.preferred = preferred
    }
}

/// What a controller that starts may do: the last column of pair-rules section 4.
package enum StartRow: String, Sendable, CaseIterable {
    /// Serve nothing, destage nothing, look again.
    case wait
    /// No record yet: record both memories as a pair.
    case createPair
    /// No record yet, no partner: record this one.
    case createSolo
    /// Both memories are in the record: compare headers, then record the pair anew.
    case agree
    /// Swap the record to solo, fence, adopt, serve.
    case takeOver
    /// The same with a void memory: nothing that was acknowledged is lost by it.
    case takeOverVoid
    /// Void the memory and ask to be caught up.
    case join
    /// Lock the partner's memory, adopt what is sealed there, then swap.
    case adopt
    /// Nobody has the data any more: an operator must decide.
    case refuseMemoryLost

    /// The start-up table. Refusals that need nothing but the record (`refusal`) come before it.
    package static func row(_ facts: StartFacts) -> StartRow {
        switch (facts.record, facts.memoryIn) {
        case (.none, _): none(facts)
        case (.paired, true): pairedIn(facts)
        case (.paired, false): pairedOut(facts)
        case (.soloOwn, true): .takeOver
        case (.soloOwn, false): facts.dirty ? .refuseMemoryLost : .takeOverVoid
        case (.soloPartner, _): soloPartner(facts)
        }
    }

    private static func none(_ facts: StartFacts) -> StartRow {
        switch facts.partner {
        case .creating: facts.preferred ? .createPair : .wait
        case .silent, .ended: facts.waited ? .createSolo : .wait
        case .undecided, .startingIn, .startingOut, .member, .solo: .wait
        }
    }

    private static func pairedIn(_ facts: StartFacts) -> StartRow {
        switch facts.partner {
        case .startingIn: .agree
        case .startingOut: .takeOver
        case .silent, .ended, .undecided: facts.waited ? .takeOver : .wait
        case .creating, .member, .solo: .wait
        }
    }

    private static func pairedOut(_ facts: StartFacts) -> StartRow {
        switch facts.partner {
        case .startingOut:
            if facts.dirty { .refuseMemoryLost } else if facts.preferred { .takeOverVoid } else { .wait }
        case .ended: facts.waited ? .adopt : .wait
        case .silent, .undecided, .creating, .startingIn, .member, .solo: .wait
        }
    }

    private static func soloPartner(_ facts: StartFacts) -> StartRow {
        switch facts.partner {
        case .solo: .join
        case .ended: facts.waited ? .adopt : .wait
        case .silent, .undecided, .creating, .startingIn, .startingOut, .member: .wait
        }
    }

    /// Why the record (or that there is none) forbids the start, whatever else holds; nil when it does not. What the
    /// devices say to it is `LabelRule`'s.
    package static func refusal(_ record: WitnessRecord?, _ configuration: PairConfiguration) -> RefusalReason? {
        guard let record else { return configuration.epochKnown > 0 ? .witnessDamaged : nil }
        if record.pairID != configuration.pairID { return .foreignPair }
        if record.featureLevel > configuration.featureLevel { return .featureLevelUnknown }
        if record.epoch < configuration.epochKnown { return .epochWentBack }
        if configuration.lineageKnown != 0, record.lineage != configuration.lineageKnown { return .lineageUnknown }
        return nil
    }
}
