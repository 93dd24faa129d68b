import BlockModel
import Controller
import Devices
import Glibc
import PagingFormats
import Primitives
import Runtime
import Testing


/// A start that the record, the memory or a device forbids ends with exit code 78 in mind, and has changed no byte of
/// the memory files, of the witness, or of a device (pair-rules 4).
@Suite struct RefusedStartTests {
    let place = Place()

    /// The files of a pair that ran: a memory with a dirty page, a torn one and a clean one, a record, a device.
    final class Place {
        static let layout = RegionLayout(bytes: 4 << 20)
        static let memoryID = WitnessRecord.MemoryID(high: 1, low: 2)
        let scratch = Scratch()
        let files = ["a.memory", "b.memory", "witness", "disk0"]

        init() {
            scratch.write("secret", [UInt8](repeating: 7, count: 32))
            for id in ControllerID.allCases { writeMemory(id) }
            writeRecord { _ in }
            try? DeviceFile.create(scratch.file("disk0"), bytes: (1 << 20) + DeviceLayout.labelArea)
            scratch.scribble("disk0", at: Int(DeviceLayout.labelArea), [1, 2, 3])
            writeLabel { _ in }
        }

        /// Both slots of the device's label.
        func writeLabel(_ change: (inout DeviceLabel) -> Void) {
            var label = DeviceLabel(pairID: 3, lineage: 9, epoch: 5, featureLevel: 1, devices: 1, name: "disk0")
            change(&label)
            var bytes = [UInt8](repeating: 0, count: DeviceLabel.areaBytes)
            bytes.withUnsafeMutableBytes { room in
                guard let base = room.baseAddress else { return }
                label.encode(to: base)
                label.encode(to: base + DeviceLabel.slotBytes)
            }
            scratch.scribble("disk0", at: 0, bytes)
        }

        func writeMemory(_ id: ControllerID, _ change: (inout Superblock) -> Void = { _ in }) {
            let layout = Self.layout
            let base = UnsafeMutableRawPointer.allocate(byteCount: layout.bytes, alignment: 4096)
            defer { base.deallocate() }
            base.initializeMemory(as: UInt8.self, repeating: 0, count: layout.bytes)
            var superblock = Superblock()
            superblock.controller = UInt32(id.rawValue)
            superblock.pairID = 3
            superblock.memoryID = Self.memoryID
            superblock.incarnation = 7
            superblock.frames = UInt32(layout.frames)
            superblock.mirrorFrames = UInt32(layout.mirrorFrames)
            superblock.epoch = 5
            superblock.lineage = 9
            change(&superblock)
            superblock.encode(to: base)
            for frame in 0..<3 {
                let page = base + layout.frame(frame)
                page.initializeMemory(as: UInt8.self, repeating: 0x5A, count: 4096)
                var header = FrameHeader()
                header.version = PageVersion(epoch: 5, counter: 9, controller: id.rawValue)
                header.validMask = 0xFF
                // Clean and torn ones are opened by a life that takes the memory.
                header.dirtyMask = frame == 2 ? 0 : 0xFF
                header.page = UInt64(frame)
                header.checksum = frame == 1 ? 0 : Checksum.crc32c(page, 4096)
                let at = base + layout.header(frame)
                FrameHeader.seal(header.encode(to: at), at: at)
            }
            scratch.write("\(id.name).memory", [UInt8](UnsafeRawBufferPointer(start: base, count: layout.bytes)))
        }

        /// Both slots of the witness.
        func writeRecord(_ change: (inout WitnessRecord) -> Void) {
            var record = WitnessRecord(
                pairID: 3, lineage: 9, sequence: 8, epoch: 5, state: .paired,
                memberA: .init(memory: Self.memoryID, incarnation: 7),
                memberB: .init(memory: Self.memoryID, incarnation: 7), dirty: true, featureLevel: 1)
            change(&record)
            var bytes = [UInt8](repeating: 0, count: 2 * WitnessFile.slotBytes)
            bytes.withUnsafeMutableBytes { room in
                guard let base = room.baseAddress else { return }
                record.encode(to: base)
                record.encode(to: base + WitnessFile.slotBytes)
            }
            scratch.write("witness", bytes)
        }

        func write(witness bytes: [UInt8]) { scratch.write("witness", bytes) }

        func read(_ name: String) -> [UInt8] {
            var status = stat()
            let fd = open(scratch.file(name), O_RDONLY)
            guard fd >= 0, fstat(fd, &status) == 0 else { return [] }
            defer { close(fd) }
            return [UInt8](unsafeUninitializedCapacity: Int(status.st_size)) { room, count in
                count = Swift.max(0, pread(fd, room.baseAddress, room.count, 0))
            }
        }

        var contents: [[UInt8]] { files.map(read) }

        var description: ArrayDescription {
            let controllers = ControllerID.allCases.map {
                ControllerDescription(
                    id: $0, portals: ["127.0.0.1:0"], channel: "127.0.0.1:0", memoryBytes: 4 << 20,
                    memoryFile: "\($0.name).memory", memoryDurability: .power)
            }
            var description = ArrayDescription(
                name: "demo", pairID: 3, controllers: controllers,
                devices: [DeviceDescription(name: "disk0", kind: .file("disk0"), dataBytes: 1 << 20)], units: [],
                targets: [])
            description.pair.secretFile = "secret"
            description.pair.witnessFile = "witness"
            return description
        }

        /// Starts controller a and answers how its life ended.
        func start() throws -> ProcessOutcome {
            var options = ProcessOptions(runDirectory: scratch.path, stateDirectory: scratch.path) { _ in }
            options.handlesSignals = false
            let process = try ControllerProcess(description, id: .a, options: options)
            // A start that is not refused would wait for its partner.
            let control = process.control
            let end = Sleepless.after(2_000_000) { _ = control.halt() }
            defer { end.join() }
            return process.run()
        }
    }

    /// Starts, and expects that nothing was changed; the sentence that a person reads.
    private func refused(_ reason: RefusalReason) throws -> String {
        let before = place.contents
        let outcome = try place.start()
        #expect(outcome.refusal == reason, "\(outcome)")
        for (name, bytes) in zip(place.files, before) {
            #expect(place.read(name) == bytes, "\(name) was changed")
        }
        return outcome.sentence
    }

    @Test func aRecordOfAnotherPairIsRefused() throws {
        place.writeRecord { $0.pairID = 4 }
        _ = try refused(.foreignPair)
    }

    @Test func aRecordOfAnotherPairIsNotRepairedEither() throws {
        place.writeRecord { $0.pairID = 4 }
        place.scratch.scribble("witness", at: 4096, [UInt8](repeating: 1, count: 8))
        _ = try refused(.foreignPair)
    }

    @Test func aLowerEpochThanTheMemoryKnowsIsRefused() throws {
        place.writeRecord { $0.epoch = 4 }
        _ = try refused(.epochWentBack)
    }

    @Test func anUnknownFeatureLevelIsRefused() throws {
        place.writeRecord { $0.featureLevel = 99 }
        _ = try refused(.featureLevelUnknown)
    }

    @Test func anotherLineageIsRefused() throws {
        place.writeRecord { $0.lineage = 10 }
        _ = try refused(.lineageUnknown)
    }

    @Test func twoDamagedSlotsAreRefused() throws {
        place.write(witness: [UInt8](repeating: 0xEE, count: 8192))
        _ = try refused(.witnessDamaged)
    }

    @Test func noRecordWhereTheMemoryKnowsOneIsRefused() throws {
        place.write(witness: [UInt8](repeating: 0, count: 8192))
        _ = try refused(.witnessDamaged)
    }

    @Test func theOnlyMemoryLostWithUnwrittenPagesIsRefused() throws {
        place.writeRecord {
            $0.state = .soloA
            $0.memberA.memory.low = 77
            $0.memberB = .absent
        }
        _ = try refused(.memoryLost)
    }

    // MARK: Labels

    @Test func aDeviceOfAnotherPairIsRefused() throws {
        place.writeLabel { $0.pairID = 4 }
        let sentence = try refused(.foreignDevice)
        #expect(sentence.contains(place.scratch.file("disk0")))
        #expect(sentence.contains("pair 0000000000000004, and this is pair 0000000000000003"))
    }

    @Test func anotherDeviceOfThePairIsRefused() throws {
        place.writeLabel { $0.name = "disk1" }
        #expect(try refused(.otherDevice).contains("carries the label of device disk1"))
    }

    @Test func aDeviceWithoutALabelIsNotServedAsIfItHeldData() throws {
        place.scratch.scribble("disk0", at: 0, [UInt8](repeating: 0, count: DeviceLabel.areaBytes))
        #expect(try refused(.deviceReplaced).contains("device disk0 (\(place.scratch.file("disk0"))) has no label"))
    }

    @Test func aDeviceWithSomethingElseIsRefused() throws {
        place.scratch.scribble("disk0", at: 0, [UInt8](repeating: 0x55, count: DeviceLabel.areaBytes))
        #expect(try refused(.deviceOccupied).contains("neither a label nor zeros"))
    }

    @Test func noRecordWhereADeviceKnowsOneIsRefused() throws {
        for id in ControllerID.allCases { unlink(place.scratch.file("\(id.name).memory")) }
        for id in ControllerID.allCases { place.scratch.write("\(id.name).memory", []) }
        place.write(witness: [UInt8](repeating: 0, count: 8192))
        let outcome = try place.start()
        #expect(outcome.refusal == .witnessDamaged)
        #expect(outcome.sentence.contains("device disk0 (\(place.scratch.file("disk0"))) knows epoch 5"))
        #expect(place.read("witness").allSatisfy { $0 == 0 })
        // The file of a memory that was not there is made and allocated; nothing is written into it.
        #expect(place.read("a.memory").allSatisfy { $0 == 0 })
    }

    @Test func aLowerEpochThanADeviceKnowsIsRefused() throws {
        place.writeLabel { $0.epoch = 6 }
        #expect(try refused(.epochWentBack).contains("knows epoch 6"))
    }

    @Test func aDeviceOfAnotherLineageIsRefused() throws {
        place.writeLabel { $0.lineage = 8 }
        _ = try refused(.lineageUnknown)
    }

    @Test func aDeviceOfALaterFeatureLevelIsRefused() throws {
        place.writeLabel { $0.featureLevel = 2 }
        _ = try refused(.featureLevelUnknown)
    }

    /// The same files, and nothing that forbids the start: then the memory is this life's, which shows that the
    /// comparison would see it.
    @Test func aStartThatIsNotRefusedTakesTheMemory() throws {
        let before = place.read("a.memory")
        #expect(try place.start() == .halted)
        #expect(place.read("a.memory") != before)
    }
}
