import Foundation
import Testing

extension Acceptance {
    /// Files that are damaged, shorter than they were, or on a file system that is full.
    @Suite(.timeLimit(.minutes(3))) struct DamagedStorage {
        /// How a memory file is found at a start.
        enum Damage: String, CaseIterable, CustomTestStringConvertible {
            case truncated, emptied, scribbled, headless
            var testDescription: String { rawValue }

            func apply(to path: String) throws {
                let file = open(path, O_RDWR)
                guard file >= 0 else { throw Failure("\(path): \(String(cString: strerror(errno)))") }
                defer { close(file) }
                let noise = [UInt8](repeating: 0xA5, count: 1 << 20)
                switch self {
                case .truncated: ftruncate(file, 5 << 20)
                case .emptied: ftruncate(file, 0)
                case .scribbled: for place in stride(from: 0, to: 128 << 20, by: 8 << 20) {
                    pwrite(file, noise, noise.count, off_t(place))
                }
                case .headless: pwrite(file, noise, 4096, 0)
                }
            }
        }

        /// The other memory holds everything that was acknowledged.
        @Test(arguments: Damage.allCases) func oneDamagedMemoryFileLosesNothing(_ damage: Damage) throws {
            let array = try RunningArray()
            try array.start()
            _ = try array.finish(try array.startLoad(through: ["a", "b"], seconds: 1), seconds: 60)
            try array.kill()
            try damage.apply(to: "/dev/shm/gemel-\(array.name)-a.memory")
            try array.start()
            #expect(try array.check(through: "b").blocksChecked > 0)
            #expect(try array.check(through: "a").mismatches == 0)
        }

        @Test func deviceThatShrankIsAMediumErrorAndNotTheEnd() throws {
            let array = try RunningArray(controllers: ["a", "b"])
            try array.start()
            let pids = try ["a", "b"].map(array.pid)
            let device = "\(array.folder)/state/disk0.img"
            let length = try #require(
                try FileManager.default.attributesOfItem(atPath: device)[.size] as? Int)
            #expect(truncate(device, 20 << 20) == 0)
            for controller in ["a", "b"] {
                let beyond = try Self.io(array, controller, "read 40M 64k")
                #expect(beyond.output.contains("Input/output error"), "\(beyond.output)")
                let within = try Self.io(array, controller, "read 1M 64k")
                #expect(within.output.contains("read 65536/65536"), "\(within.output)")
            }
            #expect(truncate(device, off_t(length)) == 0)
            for controller in ["a", "b"] {
                let again = try Self.io(array, controller, "read 40M 64k")
                #expect(again.output.contains("read 65536/65536"), "\(again.output)")
            }
            #expect(try ["a", "b"].map(array.pid) == pids, "a controller was lost")
        }

        @Test(SmallFileSystem.takesRoot) func memoryThatDoesNotFitExitsWith74AndNamesTheFile() throws {
            let small = try SmallFileSystem(mebibytes: 40, kind: .memory)
            let array = try RunningArray(
                controllers: ["a"], memory: "{size: 128MiB, file: \(small.folder)/a.memory}")
            let outcome = try array.startAgain()
            #expect(outcome.status == 74, "\(outcome.output)")
            #expect(outcome.output.contains("\(small.folder)/a.memory"), "\(outcome.output)")
            #expect(outcome.output.contains("No space left"), "\(outcome.output)")
        }

        /// The device is sparse, and its file system is smaller. Nothing that was acknowledged is lost, and there is an
        /// end to it when there is room again.
        @Test(SmallFileSystem.takesRoot) func fullFileSystemUnderTheDeviceIsAnErrorAndNotTheEnd() throws {
            let small = try SmallFileSystem(mebibytes: 48, kind: .disk)
            let file = "\(small.folder)/disk0.img"
            #expect(FileManager.default.createFile(atPath: file, contents: nil) && truncate(file, 120 << 20) == 0)
            let array = try RunningArray(unitMebibytes: 100, device: "{file: \(file), size: 110MiB}")
            try array.start()
            let pids = try ["a", "b"].map(array.pid)
            let full = try Self.io(array, "a", "write -f -P 7 0 32M", "write -f -P 7 32M 32M")
            #expect(full.output.contains("error") || full.output.contains("No space left"), "\(full.output)")
            for controller in ["a", "b"] {
                let read = try Self.io(array, controller, "read -P 7 1M 1M")
                #expect(read.output.contains("read 1048576/1048576"), "\(read.output)")
                #expect(!read.output.contains("Pattern verification failed"))
            }
            #expect(try ["a", "b"].map(array.pid) == pids, "a controller was lost")
            #expect(try array.status().ready)
        }

        /// qemu-io's commands on the unit, one after the other.
        private static func io(
            _ array: RunningArray, _ controller: String, _ commands: String...
        ) throws -> Program.Outcome {
            let words = commands.flatMap { ["-c", $0] }
            return try Program.run(
                ["qemu-io", "-f", "raw"] + words + [array.url(controller)], folder: array.folder, seconds: 60)
        }
    }
}

/// A file system of its own, mounted for a test.
final class SmallFileSystem {
    enum Kind { case memory, disk }
    static var takesRoot: ConditionTrait { .enabled(if: geteuid() == 0, "mounting a file system takes root") }
    let folder: String

    init(mebibytes: Int, kind: Kind) throws {
        let scratch = NSTemporaryDirectory() + Product.arrayName()
        folder = "\(scratch)/mount"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        var words = ["mount", "-t", "tmpfs", "-o", "size=\(mebibytes)m", "none", folder]
        if kind == .disk {
            let image = "\(scratch)/image"
            guard FileManager.default.createFile(atPath: image, contents: nil),
                truncate(image, off_t(mebibytes) << 20) == 0
            else { throw Failure("\(image) cannot be made") }
            try Self.run(["mkfs.ext4", "-q", "-F", image], scratch)
            words = ["mount", "-o", "loop", image, folder]
        }
        try Self.run(words, scratch)
    }

    private static func run(_ words: [String], _ folder: String) throws {
        let outcome = try Program.run(words, folder: folder, seconds: 20)
        guard outcome.status == 0 else { throw Failure("\(words.joined(separator: " ")): \(outcome.output)") }
    }

    deinit {
        let scratch = (folder as NSString).deletingLastPathComponent
        // Whatever still has a file open there is ending.
        _ = try? Self.run(["umount", "--lazy", folder], scratch)
        try? FileManager.default.removeItem(atPath: scratch)
    }
}
