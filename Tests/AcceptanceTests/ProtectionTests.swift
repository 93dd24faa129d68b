import Foundation
import Testing

extension Acceptance {
    /// Units with protection information in a real pair: what hosts write is found again whatever happens to the
    /// controllers, and a block that changed on the device is an error, not data.
    @Suite(.timeLimit(.minutes(3))) struct Protection {
        private static func array(_ type: Int) throws -> RunningArray {
            try RunningArray(
                units: ", 1: {pool: pool0, size: 8MiB, protection: \(type)}", device: "{size: 96MiB}")
        }

        @Test(arguments: [1, 2, 3]) func whatIsWrittenOutlivesAControllerAndBothOfThem(_ type: Int) throws {
            let array = try Self.array(type)
            try array.start()
            // Parts of pages, whole ones, and more than one piece of the cache.
            let first = try Self.io(array, "a", "write -P 17 0 3M", "write -P 34 512 512", "write -P 51 70k 9k")
            #expect(first.status == 0, "\(first.output)")
            let second = try Self.io(array, "b", "write -P 68 1k 1k", "read -P 34 512 512", "read -P 51 70k 9k")
            #expect(second.status == 0 && !second.output.contains("verification failed"), "\(second.output)")
            #expect(kill(try array.pid("a"), SIGKILL) == 0)
            try Self.expectContent(array, "b")
            try array.waitUntilRedundant(seconds: 30)
            try array.kill()
            try array.start()
            for controller in ["a", "b"] { try Self.expectContent(array, controller) }
            // From the device alone.
            _ = try array.stop()
            for controller in ["a", "b"] { unlink("/dev/shm/gemel-\(array.name)-\(controller).memory") }
            try array.start()
            for controller in ["a", "b"] { try Self.expectContent(array, controller) }
        }

        @Test func aBlockThatChangedOnTheDeviceIsAnErrorAndNotData() throws {
            let array = try Self.array(1)
            try array.start()
            let written = try Self.io(array, "a", "write -P 17 0 1M")
            #expect(written.status == 0, "\(written.output)")
            _ = try array.stop()
            // The unit begins behind the array's first MiB and the 64 of unit 0; its pages have 4608 bytes there.
            let file = open("\(array.folder)/state/disk0.img", O_RDWR)
            #expect(file >= 0)
            defer { close(file) }
            let place = off_t(65 << 20) + 5 * 4608 + 3 * 512 + 100
            var byte: UInt8 = 0
            #expect(pread(file, &byte, 1, place) == 1 && byte == 17, "the layout of the device")
            byte ^= 0x10
            #expect(pwrite(file, &byte, 1, place) == 1)
            try array.start()
            for controller in ["a", "b"] {
                let wrong = try Self.io(array, controller, "read 22016 512")
                #expect(wrong.output.contains("lba 43") && wrong.output.contains("0x1001"), "\(wrong.output)")
                let beside = try Self.io(array, controller, "read -P 17 21504 512", "read -P 17 22528 512")
                #expect(beside.status == 0 && !beside.output.contains("verification failed"), "\(beside.output)")
            }
            // Written anew, it is right again.
            let again = try Self.io(array, "a", "write -P 18 22016 512", "read -P 18 22016 512")
            #expect(again.status == 0 && !again.output.contains("verification failed"), "\(again.output)")
        }

        @Test func hostsAreToldOfTheProtection() throws {
            let array = try Self.array(3)
            try array.start()
            let outcome = try Program.run(
                ["iscsi-readcapacity16", array.url("a", lun: 1)], folder: array.folder, seconds: 20)
            #expect(outcome.output.contains("P_TYPE:2 PROT_EN:1"), "\(outcome.output)")
        }

        private static func expectContent(_ array: RunningArray, _ controller: String) throws {
            let read = try io(
                array, controller, "read -P 17 0 512", "read -P 34 512 512", "read -P 68 1k 1k", "read -P 17 2k 68k",
                "read -P 51 70k 9k", "read -P 17 79k 2993k", "read -P 0 3M 1M")
            #expect(read.status == 0 && !read.output.contains("verification failed"), "\(read.output)")
        }

        private static func io(
            _ array: RunningArray, _ controller: String, _ commands: String...
        ) throws -> Program.Outcome {
            let words = commands.flatMap { ["-c", $0] }
            return try Program.run(
                ["qemu-io", "-f", "raw"] + words + [array.url(controller, lun: 1)], folder: array.folder, seconds: 60)
        }
    }
}
