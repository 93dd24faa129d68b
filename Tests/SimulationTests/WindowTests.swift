import Controller
import PagingFormats
import Primitives
import Testing

@testable import Simulation

/// Placements through the window, with everything that may go wrong in their midst.
@Suite struct WindowTests {
    private func placement(_ stage: ProbeWorld, frame: UInt32 = 0, at offset: Int = 0) -> ControllerEffect {
        .place(WindowPlacement(token: 9, frame: FrameIndex(frame), slot: UInt32(stage.b.layout.mirrorStart + offset)))
    }

    @Test func aPlacementArrivesSealedAndWhole() {
        let stage = ProbeWorld()
        stage.openWindow()
        #expect(stage.probe(0).count("windowOpened") == 1)
        stage.seal(frame: 0, counter: 5, byte: 0xAB)
        stage.perform(0, [placement(stage)])
        #expect(stage.lastPlaced() == true)
        let slot = stage.b.layout.mirrorStart
        #expect(stage.mirrored(slot)?.version.counter == 5)
        #expect(
            stage.mirrored(slot)?.checksum
                == Checksum.crc32c(stage.b.region + stage.b.layout.frame(slot), PageSize.bytes))
    }

    @Test func withoutAWindowNothingIsPlaced() {
        let stage = ProbeWorld()
        stage.seal(frame: 0, counter: 5, byte: 1)
        stage.perform(0, [placement(stage)])
        #expect(stage.lastPlaced() == false)
        #expect(stage.mirrored(stage.b.layout.mirrorStart) == nil)
    }

    @Test func aPlacementCountsWhileThePartnerIsDeadButNotForItsNextIncarnation() {
        let stage = ProbeWorld()
        stage.openWindow()
        stage.world.crash(stage.b, cause: .crash)
        stage.seal(frame: 0, counter: 5, byte: 1)
        stage.perform(0, [placement(stage)])
        #expect(stage.lastPlaced() == true)
        stage.world.scheduleStart(stage.b, after: 1000)
        stage.run()
        stage.perform(1, [.setWindowWord(WindowWord.closed)])
        stage.perform(0, [placement(stage, at: 1)])
        #expect(stage.lastPlaced() == false)
    }

    @Test func aCutChannelCutsTheWindow() {
        let stage = ProbeWorld()
        stage.openWindow()
        stage.world.cutChannel(directions: [0], .channelCut, for: .max)
        stage.seal(frame: 0, counter: 5, byte: 1)
        stage.perform(0, [placement(stage)])
        #expect(stage.lastPlaced() == false && stage.probe(0).count("windowClosed") == 1)
        #expect(SharedWord.load(stage.b.region + RegionLayout.controlOffset) == WindowWord.closed)
        stage.world.healLink(0)
        #expect(SharedWord.load(stage.b.region + RegionLayout.controlOffset) != WindowWord.closed)
        #expect(stage.mirrored(stage.b.layout.mirrorStart) == nil)
    }

    /// The steps: before the effect, after half of the data, after the data, after the header, after the seal.
    @Test(arguments: [1, 2, 3, 4])
    func aCrashInThePlacementLeavesNoSeal(effects: Int) {
        let stage = ProbeWorld()
        stage.openWindow()
        stage.seal(frame: 0, counter: 5, byte: 0xCD)
        stage.a.armed = ArmedFault(effectsLeft: effects, hang: nil)
        stage.perform(0, [placement(stage)])
        #expect(stage.a.state == .dead)
        #expect(stage.mirrored(stage.b.layout.mirrorStart) == nil)
    }

    @Test func aPlacementOverASealedFrameBreaksTheContract() {
        let stage = ProbeWorld()
        stage.openWindow()
        stage.seal(frame: 0, counter: 5, byte: 1)
        stage.perform(0, [placement(stage)])
        stage.perform(0, [placement(stage)])
        #expect(stage.world.failure == nil)
        stage.seal(frame: 0, counter: 6, byte: 2)
        stage.perform(0, [placement(stage)])
        #expect(stage.world.failure?.kind == .contract)
    }

    @Test func aSlotOutsideTheMirrorAreaBreaksTheContract() {
        let stage = ProbeWorld()
        stage.openWindow()
        stage.perform(0, [.clear(slot: 0)])
        #expect(stage.world.failure?.kind == .contract)
    }

    @Test func clearOpensTheHeader() {
        let stage = ProbeWorld()
        stage.openWindow()
        stage.seal(frame: 0, counter: 5, byte: 1)
        stage.perform(0, [placement(stage), .clear(slot: UInt32(stage.b.layout.mirrorStart))])
        #expect(stage.mirrored(stage.b.layout.mirrorStart) == nil)
    }

    @Test func plantedPlacementsLie() {
        let lost = ProbeWorld(.placementNotCopied)
        lost.openWindow()
        lost.seal(frame: 0, counter: 5, byte: 1)
        lost.perform(0, [placement(lost)])
        #expect(lost.lastPlaced() == true && lost.mirrored(lost.b.layout.mirrorStart) == nil)
        let unchecked = ProbeWorld(.placementUnchecked)
        unchecked.openWindow()
        unchecked.perform(1, [.setWindowWord(WindowWord.closed)])
        unchecked.perform(0, [placement(unchecked)])
        #expect(unchecked.lastPlaced() == true)
    }
}
