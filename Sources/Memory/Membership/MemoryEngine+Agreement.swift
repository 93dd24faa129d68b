import BlockModel
import PagingFormats
import Primitives

// Restart of both members of a paired record: read header messages until both know what the other holds, then each
// destages what is its own (pair-rules 4). Nobody is served before both are clean, so a crash at any point leaves
// every newest version sealed somewhere or on the device.
//
// Arguments of the read header messages: 1 list your own area from frame `firstPage`; 2 "I have processed your list";
// 3 "everything of mine is on the devices".
extension MemoryEngine {
    mutating func beginAgreement() {
        membership.agreement.step = .listing
        membership.agreement.cursor = 0
        _ = adoptMirrorArea()
        askForHeaders()
    }

    /// Says again what the present step wants to be answered.
    mutating func askForHeaders() {
        guard membership.isChannelUp else { return }
        var message = PagingMessage(.readHeader)
        switch membership.agreement.step {
        case .none, .reading, .agreed: return
        case .listing:
            message.argument = 1
            message.firstPage = membership.agreement.cursor
        case .waitingForPartnersList, .destaging: message.argument = 2
        case .waitingForPartnersDevice: message.argument = 3
        }
        effects.append(.send(message, data: nil, stable: false))
    }

    mutating func headersAsked(_ message: PagingMessage) {
        switch message.argument {
        case 1: listHeaders(message)
        case 2:
            membership.agreement.partnerListed = true
            effects.append(.send(message.answer(.done), data: nil, stable: false))
        case 3:
            membership.agreement.partnerListed = true
            membership.agreement.partnerClean = true
            effects.append(.send(message.answer(.done), data: nil, stable: false))
        default: effects.append(.send(message.answer(.denied), data: nil, stable: false))
        }
    }

    /// One answer a sealed frame of the own area, then the last one with the next cursor.
    private mutating func listHeaders(_ message: PagingMessage) {
        var index = Int(min(message.firstPage, UInt64(layout.mirrorStart)))
        var listed = 0
        while index < layout.mirrorStart, listed < MemoryLimits.headersPerAnswer {
            if let header = FrameHeader(sealed: region + layout.header(index)) {
                var answer = message.answer(.exists)
                answer.unit = header.unit
                answer.firstPage = header.page
                answer.mode = header.kind == .state ? .exclusive : .none
                answer.version = header.version
                answer.guid = header.guid
                answer.validMask = header.validMask
                answer.dirtyMask = header.dirtyMask
                effects.append(.send(answer, data: nil, stable: false))
                listed += 1
            }
            index += 1
        }
        var last = message.answer(.done)
        last.firstPage = UInt64(index)
        last.pageCount = index >= layout.mirrorStart ? 1 : 0
        effects.append(.send(last, data: nil, stable: false))
    }

    mutating func headerAnswered(_ message: PagingMessage) {
        if message.status == .exists { return headerListed(message) }
        guard message.status == .done, message.argument == 1, membership.agreement.step == .listing else { return }
        membership.agreement.cursor = message.firstPage
        if message.pageCount == 1 { membership.agreement.step = .waitingForPartnersList }
        askForHeaders()
    }

    /// The partner holds a version of a page: what is older here goes, and what is the same in the mirror area.
    private mutating func headerListed(_ message: PagingMessage) {
        guard Int(message.unit) < configuration.units.count, message.firstPage < PageKey.stateFlag else { return }
        let unit = UnitIndex(message.unit)
        let key = message.mode == .exclusive ? PageKey.state(unit) : PageKey.data(unit, message.firstPage)
        guard let slot = pages.find(key), pages[slot].current != .none else { return }
        let frame = pages[slot].current
        let record = pool[frame].pointee
        let isTheirs = Int(frame.raw) >= pool.ownCount || record.version.controller != configuration.controller.rawValue
        guard record.isDirty, record.version < message.version || record.version == message.version && isTheirs else {
            return
        }
        if PageKey.isState(key) {
            unlist(frame)
            pool[frame].pointee.dirtyMask = 0
            FrameHeader.open(at: region + layout.header(Int(frame.raw)))
        } else {
            dropPage(of: frame)
        }
    }

    mutating func settleAgreement() {
        switch membership.agreement.step {
        case .none, .listing, .agreed: return
        case .waitingForPartnersList:
            guard membership.agreement.partnerListed else { return }
            membership.agreement.step = .destaging
            membership.isFrozen = false
            membership.isSettling = true
            membership.isDraining = true
            membership.drainReported = true
        case .destaging:
            guard dirtyPages == 0, transfers.count == 0 else { return }
            membership.isDraining = false
            membership.agreement.step = .waitingForPartnersDevice
            askForHeaders()
        case .waitingForPartnersDevice:
            guard membership.agreement.partnerClean else { return }
            membership.agreement.step = .reading
            rereadStateBlocks()
        case .reading:
            guard isLoaded else { return }
            dropForeignPages()
            membership.agreement.step = .agreed
            membership.isSettling = false
            membership.isFrozen = true
            effects.append(.report(.headersAgreed))
        }
    }

    /// What is cached of the other's units was held by pointers of an epoch that is over (pair-rules 3): the home may
    /// write without a word to us, so nothing of it is kept.
    private mutating func dropForeignPages() {
        for index in configuration.units.indices where units[index].home != configuration.controller {
            dropUnit(UnitIndex(UInt16(index)))
        }
    }
}
