import PagingFormats
import Primitives

// Starting (pair-rules 4): facts, the row, and what the row does.
extension PairEngine {
    mutating func stepStarting(at now: Instant) {
        if leave.stopAt != nil {
            finish(.stopped)
            return
        }
        guard recordRead, !witness.isSwapping, areDevicesKnown(at: now) else { return }
        if record == nil, memory.id == .none, !voidMemory(at: now) { return }
        if start.adoption != .none, start.adoption != .asked {
            continueAdoption(at: now)
            return
        }
        let row = StartRow.row(facts(at: now))
        if row != .agree { start.agreement = .none }
        if row != .refuseMemoryLost { begin() }
        perform(row, at: now)
    }

    /// A row is found that does not refuse: the memory is this life's, and says so to who must end this process.
    private mutating func begin() {
        guard !memory.hasBegun else { return }
        memory.hasBegun = true
        effects.append(.order(.begin))
    }

    private mutating func perform(_ row: StartRow, at now: Instant) {
        switch row {
        case .wait: break
        case .createPair:
            guard hasLabels(at: now), let partner = partner.announcement, let hello = channel.partner else { return }
            propose(
                .paired, partner: .init(memory: partner.memoryID, incarnation: hello.incarnation), dirty: true)
        case .createSolo: if hasLabels(at: now) { proposeSolo(dirty: true) }
        case .agree: agree()
        case .takeOver: proposeSolo(dirty: recordView == .paired || record?.dirty == true)
        case .takeOverVoid:
            if memory.isVoid || voidMemory(at: now) { proposeSolo(dirty: false) }
        case .join:
            if memory.isVoid || voidMemory(at: now) { becomeJoining(at: now) }
        case .adopt:
            if start.adoption == .none, due(start.adoptAt, now) {
                start.adoption = .asked
                effects.append(.adoptPartnerMemory)
            }
        case .refuseMemoryLost: finish(.refuse(.memoryLost))
        }
    }

    // MARK: Facts

    private mutating func facts(at now: Instant) -> StartFacts {
        let seen = partnerSeen()
        return StartFacts(
            record: Planted.isOn(.ignoreMembers) && recordView == .soloPartner ? .paired : recordView,
            dirty: record?.dirty ?? false,
            memoryIn: memory.id != .none
                && (record?.member(own).memory == memory.id || Planted.isOn(.ignoreMembers)), partner: seen,
            waited: configuration.single || isWaitOver(seen, at: now), preferred: own == .a)
    }

    private mutating func partnerSeen() -> StartFacts.Partner {
        if configuration.single { return .ended }
        guard channel.isUp else { return partner.ended ? .ended : .silent }
        guard let announcement = partner.announcement, announcement.flags.contains(.recordRead) else {
            return .undecided
        }
        let sameRecord = announcement.sequence == (record?.sequence ?? 0)
        switch announcement.standing {
        case .starting:
            if announcement.flags.contains(.noRecord) {
                return announcement.memoryID == .none ? .undecided : .creating
            }
            guard sameRecord else { return .undecided }
            let isIn = announcement.memoryID != .none && record?.member(other).memory == announcement.memoryID
            return isIn ? .startingIn : .startingOut
        case .paired, .candidate, .takingOver: return .member
        case .solo: return sameRecord ? .solo : .undecided
        case .joining, .stopped: return .undecided
        }
    }

    /// The waits of the start-up table. A controller that started may have promised a lease before it died.
    private mutating func isWaitOver(_ seen: StartFacts.Partner, at now: Instant) -> Bool {
        let grace = partner.lostAt + PairTimes.startGrace + configuration.precedence
        switch seen {
        case .ended: return due(grace, now)
        case .silent, .undecided:
            let promise = record == nil ? configuration.lease : configuration.promise
            return due(max(startedAt + promise + configuration.precedence, grace), now)
        case .creating, .startingIn, .startingOut, .member, .solo: return false
        }
    }

    // MARK: Both members start

    private mutating func agree() {
        if start.agreement == .none {
            start.agreement = .ordered
            acceptedEpoch = epoch
            effects.append(.order(.agreeHeaders(epoch: epoch)))
        }
        guard own == .a, start.agreement == .agreed, let partner = partner.announcement,
            partner.flags.contains(.headersAgreed), let hello = channel.partner
        else { return }
        propose(.paired, partner: .init(memory: partner.memoryID, incarnation: hello.incarnation), dirty: true)
    }

    // MARK: The memory's identity

    /// Gives the memory a new identity and has its content forgotten; false while a random identity is awaited.
    /// The identity goes first: a memory that is void must never be found under a name that a record may hold.
    mutating func voidMemory(at now: Instant) -> Bool {
        guard let id = memory.takeFresh() else {
            if !memory.asked {
                memory.asked = true
                effects.append(.random(token: Self.memoryIDToken))
            }
            return false
        }
        memory.id = id
        memory.isVoid = true
        memory.hasBegun = true
        recordSuperblock()
        effects.append(.order(.void))
        effects.append(.log(PairLog(.memoryVoided, id.high, id.low)))
        return true
    }

    static var memoryIDToken: UInt32 { Handshake.Question.memoryID.rawValue << 8 | 0xFF }

    mutating func random(_ token: UInt32, _ bytes: InlineArray<32, UInt8>, at now: Instant) {
        if token == Self.memoryIDToken { memory.supply(bytes) } else {
            changed(channel.random(token, bytes, at: now, &effects), at: now)
        }
    }

    // MARK: Adoption of the partner's memory

    mutating func partnerMemory(_ base: UnsafeMutableRawPointer?, _ layout: RegionLayout?, at now: Instant) {
        guard start.adoption == .asked, state == .starting, let base, let layout else {
            if base != nil { effects.append(.releasePartnerMemory) }
            if start.adoption == .asked { start.adoption = .none }
            start.adoptAt = now + PairTimes.adoptRetry
            return
        }
        start.base = base
        start.layout = layout
        start.adoption = .held
        let superblock = Superblock(decoding: base)
        let named = record?.member(other).memory ?? .none
        // After a power cycle the mapping's pages may be of any age, whatever their checksums say (pair-rules 4).
        let isNamed = superblock.map {
            ($0.bootID == configuration.bootID || configuration.partnerMemoryIsDurable)
                && $0.memoryID == named && $0.pairID == configuration.pairID
                && $0.controller == UInt32(other.rawValue) && Int($0.frames) == layout.frames
                && Int($0.mirrorFrames) == layout.mirrorFrames
        }
        if named != .none, isNamed == true { return }
        // The only memory that the record names is gone: what was not on the devices is lost.
        if record?.dirty == true { finish(.refuse(.memoryLost)) } else { start.adoptsNothing = true }
    }

    private mutating func continueAdoption(at now: Instant) {
        switch start.adoption {
        case .none, .asked, .ordered: break
        case .held:
            guard memory.isVoid || voidMemory(at: now), let base = start.base, let layout = start.layout else {
                return
            }
            if start.adoptsNothing {
                start.adoption = .adopted
                continueAdoption(at: now)
                return
            }
            start.adoption = .ordered
            memory.isVoid = false
            effects.append(.order(.adoptForeign(base: base, layout: layout, epoch: epoch)))
        case .adopted: proposeSolo(dirty: !start.adoptsNothing)
        }
    }

    /// The record moved while we adopted: nothing of it counts.
    mutating func abandonAdoption() {
        if start.holdsPartnerMemory { effects.append(.releasePartnerMemory) }
        memory.isVoid = false
        start = StartProgress()
    }

    /// The partner's memory is not needed any more.
    mutating func releaseAdopted() {
        if start.holdsPartnerMemory { effects.append(.releasePartnerMemory) }
        start = StartProgress()
    }
}
