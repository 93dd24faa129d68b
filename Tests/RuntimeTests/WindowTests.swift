import Controller
import Glibc
import PagingFormats
import Primitives
import Runtime
import Testing

@Suite(.serialized) struct WindowTests {
    private let scratch = Scratch()
    private static let offer = WindowOffer(
        controller: 1, pairID: Sample.pairID, layout: Sample.layout, pid: getpid(), incarnation: 7,
        memoryID: .init(high: 1, low: 2))

    private func makeRegion() throws -> MemoryFile {
        try MemoryFile(path: scratch.file("b.memory"), layout: Sample.layout, identity: Sample.identity(.b))
    }

    private func map() -> WindowMapping? {
        let fd = open(scratch.file("b.memory"), O_RDWR | O_CLOEXEC)
        defer { close(fd) }
        return WindowMapping(Self.offer, memory: fd)
    }

    @Test func anOfferSurvivesItsCoding() {
        let room = UnsafeMutableRawPointer.allocate(byteCount: 64, alignment: 8)
        defer { room.deallocate() }
        Self.offer.encode(to: room)
        #expect(WindowOffer(decoding: room) == Self.offer)
        room.put(little32: UInt32.max, 28)
        #expect(WindowOffer(decoding: room) == nil)
    }

    @Test func theHandoverPassesMemoryAndProcess() throws {
        let memory = try makeRegion()
        var ends: [Int32] = [-1, -1]
        #expect(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0)
        let fd = open(scratch.file("b.memory"), O_RDWR | O_CLOEXEC)
        #expect(WindowHandover.serve(ends[0], Self.offer, memory: fd))
        close(fd)
        guard let received = WindowHandover.receive(ends[1]) else {
            Issue.record("nothing was received")
            return
        }
        #expect(received.offer == Self.offer)
        // Closing what was passed does not give the owner's lock away.
        close(received.memory)
        #expect(PartnerMemoryState.proveFree(scratch.file("b.memory")) == false)
        close(received.pidfd)
        for end in ends { close(end) }
        _ = memory.isLost
    }

    @Test func bytesThatAreNoOfferAreRefused() {
        var ends: [Int32] = [-1, -1]
        #expect(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0)
        let junk = [UInt8](repeating: 1, count: 64)
        _ = write(ends[0], junk, 64)
        #expect(WindowHandover.receive(ends[1]) == nil)
        for end in ends { close(end) }
    }

    @Test func aPlacedPageIsSealedInThePartnersMemory() throws {
        let memory = try makeRegion()
        let own = UnsafeMutableRawPointer.allocate(byteCount: Sample.layout.bytes, alignment: 4096)
        defer { own.deallocate() }
        Sample.seal(own, frame: 2, dirty: 0xFF, fill: 0x33)
        guard let window = map() else {
            Issue.record("not mapped")
            return
        }
        let page = own + Sample.layout.frame(2)
        let header = own + Sample.layout.header(2)
        verify(window.place(page: page, slot: 12))
        #expect(FrameHeader(sealed: memory.base + Sample.layout.header(12)) == nil)
        CacheHint.finishCopies()
        window.seal(header: header, slot: 12)
        let placed = FrameHeader(sealed: memory.base + Sample.layout.header(12))
        #expect(placed == FrameHeader(sealed: header))
        verify(memory.base.load(fromByteOffset: Sample.layout.frame(12) + 4095, as: UInt8.self) == 0x33)
        SharedWord.store(WindowWord.open(epoch: 4, incarnation: 7), at: memory.base + RegionLayout.controlOffset)
        verify(window.word == WindowWord.open(epoch: 4, incarnation: 7))
        window.clear(slot: 12)
        #expect(FrameHeader(sealed: memory.base + Sample.layout.header(12)) == nil)
    }

    @Test func onlyTheMirrorAreaIsWritten() throws {
        let memory = try makeRegion()
        Sample.seal(memory.base, frame: 2, dirty: 0xFF)
        guard let window = map() else {
            Issue.record("not mapped")
            return
        }
        let page = memory.base + Sample.layout.frame(2)
        let header = memory.base + Sample.layout.header(2)
        for slot in [0, 2, 7, 16, UInt32.max] {
            verify(!window.place(page: page, slot: slot))
            window.seal(header: header, slot: slot)
            window.clear(slot: slot)
        }
        #expect(FrameHeader(sealed: header) != nil)
    }

    @Test func aTruncatedPartnerMemoryBreaksTheWindowAndNotTheProcess() throws {
        let memory = try makeRegion()
        guard let window = map() else {
            Issue.record("not mapped")
            return
        }
        verify(!window.isBroken)
        let page = UnsafeMutableRawPointer.allocate(byteCount: 8192, alignment: 4096)
        defer { page.deallocate() }
        page.initializeMemory(as: UInt8.self, repeating: 1, count: 8192)
        truncate(scratch.file("b.memory"), 8192)
        verify(window.place(page: page, slot: 12))
        window.seal(header: page + 4096, slot: 12)
        verify(window.isBroken)
        _ = memory.isLost
    }

    @Test func aFileShorterThanOfferedIsNotMapped() throws {
        _ = try makeRegion()
        truncate(scratch.file("b.memory"), 8192)
        if map() != nil { Issue.record("mapped") }
    }
}
