import BlockModel
import Controller
import PagingFormats
import Primitives
import Testing

@testable import Simulation

/// Life, death and hanging of processes, fences, devices and the witness, one at a time.
@Suite struct HostTests {
    private func write(_ id: UInt32, _ slice: UnsafeMutablePointer<ByteSlice>) -> ControllerEffect {
        .storage(
            StorageRequest(
                kind: .write, id: id, device: DeviceIndex(0), offset: DeviceLayout.labelArea, count: 512,
                slices: UnsafePointer(slice), sliceCount: 1))
    }

    /// A sector of `byte`, and a slice that names it; leaked on purpose: it must outlive everything.
    private func sector(_ byte: UInt8) -> UnsafeMutablePointer<ByteSlice> {
        let data = UnsafeMutableRawPointer.allocate(byteCount: 512, alignment: 16)
        data.initializeMemory(as: UInt8.self, repeating: byte, count: 512)
        let slice = UnsafeMutablePointer<ByteSlice>.allocate(capacity: 1)
        slice.initialize(to: ByteSlice(base: data, count: 512))
        return slice
    }

    private func onDevice(_ stage: ProbeWorld) -> UInt8 {
        UnsafeRawPointer(stage.world.devices[0].bytes).byte(Int(DeviceLayout.labelArea))
    }

    @Test func aFreshMemoryIsFreshAndEachStartIsANewIncarnation() {
        let stage = ProbeWorld()
        #expect(stage.probe(0).start.memoryIsFresh && !stage.probe(0).start.memoryIsLost)
        var superblock = Superblock()
        superblock.bootID = stage.probe(0).start.bootID
        superblock.encode(to: stage.a.region)
        stage.world.crash(stage.a, cause: .crash)
        stage.world.scheduleStart(stage.a, after: 1000)
        stage.run()
        #expect(!stage.probe(0).start.memoryIsFresh && !stage.probe(0).start.memoryIsLost)
        #expect(stage.probe(0).start.incarnation == 2)
        stage.a.region.put(byte: 0xFF, 30)
        stage.world.crash(stage.a, cause: .crash)
        stage.world.scheduleStart(stage.a, after: 1000)
        stage.run()
        #expect(stage.probe(0).start.memoryIsLost)
    }

    @Test func theMemoryOutlivesTheProcess() {
        let stage = ProbeWorld()
        stage.seal(frame: 3, counter: 1, byte: 7)
        stage.world.crash(stage.a, cause: .crash)
        #expect(FrameHeader(sealed: stage.a.region + stage.a.layout.header(3)) != nil)
    }

    @Test func thePartnerLearnsOfTheEnd() {
        let stage = ProbeWorld()
        stage.world.crash(stage.a, cause: .crash)
        stage.run()
        #expect(stage.probe(1).count("partnerEnded") == 1)
    }

    @Test func aWriteOfADeadProcessLandsBeforeTheFenceIsProved() {
        let stage = ProbeWorld()
        stage.perform(0, [write(1, sector(0x11))], thenRun: 100_000)
        stage.world.crash(stage.a, cause: .crash)
        #expect(stage.a.state == .dying && onDevice(stage) == 0)
        stage.perform(1, [.fencePartner], thenRun: 10_000)
        #expect(stage.probe(1).count("fenced") == 0)
        stage.run()
        #expect(stage.a.state == .dead && onDevice(stage) == 0x11)
        guard case .fenced(true)? = stage.probe(1).answers.last(where: { "\($0)".hasPrefix("fenced") }) else {
            Issue.record("no proof")
            return
        }
    }

    @Test func aFenceEndsAHungProcess() {
        let stage = ProbeWorld()
        stage.world.hang(stage.a, for: .max)
        stage.perform(1, [.fencePartner])
        #expect(stage.a.state == .dead)
        #expect(stage.probe(1).count("fenced") == 1)
    }

    @Test func plantedFencesLie() {
        let living = ProbeWorld(.fenceWithoutKill)
        living.perform(1, [.fencePartner])
        #expect(living.probe(1).count("fenced") == 1 && living.a.isRunning)
        let flying = ProbeWorld(.fenceWithoutProof)
        flying.perform(0, [write(1, sector(0x11))], thenRun: 100_000)
        flying.perform(1, [.fencePartner], thenRun: 200_000)
        #expect(flying.probe(1).count("fenced") == 1 && flying.a.state == .dying)
    }

    @Test func aHungProcessPerformsItsLeftEffectsLaterWithTheClockMovedOn() {
        let stage = ProbeWorld()
        stage.a.armed = ArmedFault(effectsLeft: 2, hang: 5_000_000_000)
        stage.perform(0, [.setWindowWord(1), .setWindowWord(3)])
        let word = { SharedWord.load(stage.a.region + RegionLayout.controlOffset) }
        #expect(word() == 1 && stage.a.isHung)
        stage.world.enqueue(.event(.partnerEnded), to: stage.a)
        stage.run(4_000_000_000)
        #expect(word() == 1 && stage.probe(0).count("partnerEnded") == 0)
        stage.run(2_000_000_000)
        #expect(word() == 3 && stage.probe(0).count("partnerEnded") == 1)
        #expect(stage.probe(0).events.last.map { $0.time > 5_000_000_000 } == true)
    }

    @Test func aCrashBetweenEffectsLosesTheRest() {
        let stage = ProbeWorld()
        stage.a.armed = ArmedFault(effectsLeft: 2, hang: nil)
        stage.perform(0, [.setWindowWord(1), .setWindowWord(3)])
        #expect(SharedWord.load(stage.a.region + RegionLayout.controlOffset) == 1)
        #expect(stage.a.state == .dead)
    }

    @Test func aDeadPartnersMemoryCanBeAdoptedAndKeepsItFromStarting() {
        let stage = ProbeWorld()
        stage.perform(0, [.adoptPartnerMemory])
        guard case .partnerMemory(nil, _)? = stage.probe(0).answers.last else {
            Issue.record("a running partner's memory was given away")
            return
        }
        stage.world.crash(stage.b, cause: .crash)
        stage.run()
        stage.perform(0, [.adoptPartnerMemory])
        guard case .partnerMemory(nil, _)? = stage.probe(0).answers.last else {
            Issue.record("a memory without a superblock was given away")
            return
        }
        var superblock = Superblock()
        superblock.bootID = stage.probe(1).start.bootID
        superblock.encode(to: stage.b.region)
        stage.perform(0, [.adoptPartnerMemory])
        guard case .partnerMemory(let base?, _)? = stage.probe(0).answers.last else {
            Issue.record("the memory was refused")
            return
        }
        #expect(base == stage.b.region)
        stage.world.scheduleStart(stage.b, after: 1000)
        stage.run()
        #expect(!stage.b.isRunning)
        stage.perform(0, [.releasePartnerMemory])
        stage.run()
        #expect(stage.b.isRunning)
    }

    @Test func dataThatChangesUnderADeviceWriteBreaksTheContract() {
        let stage = ProbeWorld()
        let slice = sector(1)
        stage.perform(0, [write(1, slice)], thenRun: 100_000)
        slice.pointee.base.put(byte: 9, 100)
        stage.run()
        #expect(stage.world.failure?.kind == .contract)
    }

    @Test func aRequestPastTheDeviceBreaksTheContract() {
        let stage = ProbeWorld()
        let beyond = StorageRequest(
            kind: .read, id: 1, device: DeviceIndex(0), offset: 1 << 40, count: 512,
            slices: UnsafePointer(sector(0)), sliceCount: 1)
        stage.perform(0, [.storage(beyond)])
        #expect(stage.world.failure?.kind == .contract)
    }

    private func record(_ sequence: UInt64) -> WitnessRecord {
        WitnessRecord(
            pairID: 1, lineage: 1, sequence: sequence, epoch: 1, state: .paired, memberA: .absent, memberB: .absent,
            dirty: false, featureLevel: 1)
    }

    @Test func ofTwoSwapsOneWins() {
        let stage = ProbeWorld()
        stage.probe(0).effects = [.witnessSwap(expected: 0, record(1))]
        stage.probe(1).effects = [.witnessSwap(expected: 0, record(1))]
        stage.world.scheduleWake(stage.a)
        stage.world.scheduleWake(stage.b)
        stage.run()
        var wins = 0
        for index in 0...1 {
            guard case .witnessSwapped(.record(let now), let won)? = stage.probe(index).answers.last else {
                Issue.record("no answer")
                return
            }
            #expect(now.sequence == 1)
            wins += won ? 1 : 0
        }
        #expect(wins == 1)
    }

    @Test func aWitnessThatIsDownSaysSo() {
        let stage = ProbeWorld()
        stage.world.witnessIsDown = true
        stage.perform(0, [.witnessRead], thenRun: 2_000_000_000)
        guard case .witnessRead(.unreachable)? = stage.probe(0).answers.last else {
            Issue.record("it answered")
            return
        }
    }

    @Test func aRestartAsksTheSupervisorForANewIncarnation() {
        let stage = ProbeWorld()
        stage.perform(0, [.restart(reason: .lostMembership)])
        #expect(stage.a.isRunning && stage.a.life == 2)
    }

    @Test func aRefusalAndTwoServersAreFailures() {
        let refused = ProbeWorld()
        refused.perform(0, [.refuse(.memoryLost)])
        #expect(refused.world.failure?.kind == .refused)
        let two = ProbeWorld()
        two.probe(0).serving = true
        two.world.sample()
        #expect(two.world.failure == nil)
        two.probe(1).serving = true
        two.world.sample()
        #expect(two.world.failure?.kind == .twoServers)
    }

    @Test func theChannelConnectsOnlyWhenBothWaysAreOpen() {
        let stage = ProbeWorld()
        stage.perform(0, [.connectChannel])
        guard case .channelConnected(.some)? = stage.probe(0).answers.last else {
            Issue.record("no channel")
            return
        }
        #expect(stage.probe(1).count("channelAccepted") == 1)
        stage.world.setCut(link: 0, direction: 0, true)
        stage.perform(1, [.connectChannel], thenRun: 2_000_000_000)
        guard case .channelConnected(nil)? = stage.probe(1).answers.last else {
            Issue.record("a channel through a cut")
            return
        }
    }
}
