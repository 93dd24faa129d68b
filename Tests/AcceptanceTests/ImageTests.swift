import Foundation
import Testing

extension Acceptance {
    /// A disk image goes onto the unit and comes back the same, whichever controller carries it.
    @Suite(.timeLimit(.minutes(3))) struct Images {
        static let mebibytes = 32

        @Test(arguments: [["a", "a"], ["a", "b"], ["b", "a"], ["b", "b"]])
        func imageComesBackTheSame(_ path: [String]) throws {
            let array = try RunningArray()
            try array.start()
            let image = try Self.image(in: array.folder)
            try Self.convert(array, from: ["-f", "raw", image], to: ["-n", "-O", "raw", array.url(path[0])])
            #expect(try Self.unit(array, through: path[1]) == Data(contentsOf: URL(fileURLWithPath: image)))
        }

        @Test func halfThroughEachControllerMakesOneImage() throws {
            let array = try RunningArray()
            try array.start()
            let image = try Self.image(in: array.folder)
            let half = Self.mebibytes << 19
            for (index, controller) in ["a", "b"].enumerated() {
                let range = "offset=\(index * half),size=\(half)"
                try Self.convert(
                    array, from: ["--image-opts", "driver=raw,\(range),file.driver=file,file.filename=\(image)"],
                    to: ["-n", "--target-image-opts", "driver=raw,\(range),\(Self.node(array, controller))"])
            }
            let expected = try Data(contentsOf: URL(fileURLWithPath: image))
            #expect(try Self.unit(array, through: "a") == expected)
            #expect(try Self.unit(array, through: "b") == expected)
        }

        private static func node(_ array: RunningArray, _ controller: String) -> String {
            "file.driver=iscsi,file.transport=tcp,file.portal=127.0.0.1:\(array.ports[controller] ?? 0),"
                + "file.target=\(RunningArray.target),file.lun=0"
        }

        /// What the unit holds now, as far as the image goes.
        private static func unit(_ array: RunningArray, through controller: String) throws -> Data {
            let copy = "\(array.folder)/copy-\(controller).raw"
            try convert(array, from: ["-f", "raw", array.url(controller)], to: ["-O", "raw", copy])
            return try Data(contentsOf: URL(fileURLWithPath: copy)).prefix(mebibytes << 20)
        }

        /// qemu-img wants the options of both sides before both names.
        private static func convert(_ array: RunningArray, from: [String], to: [String]) throws {
            let options = from.dropLast() + to.dropLast()
            let words = ["qemu-img", "convert"] + options + [from[from.count - 1], to[to.count - 1]]
            let outcome = try Program.run(words, folder: array.folder, seconds: 60)
            guard outcome.status == 0 else {
                let hint = outcome.output.contains("Unknown protocol") ? " (apt-get install qemu-block-extra)" : ""
                throw Failure("\(words.joined(separator: " ")): \(outcome.output)\(hint)")
            }
        }

        /// A file of numbers that repeat nowhere, with a hole in it.
        private static func image(in folder: String) throws -> String {
            var words = [UInt64](repeating: 0, count: mebibytes << 17)
            var state: UInt64 = 0x6765_6D65_6C00_0001
            for index in words.indices where !((4 << 17)..<(6 << 17)).contains(index) {
                state = state &* 0x5851_F42D_4C95_7F2D &+ 0x1405_7B7E_F767_814F
                words[index] = state
            }
            let path = "\(folder)/image.raw"
            try words.withUnsafeBytes { try Data($0).write(to: URL(fileURLWithPath: path)) }
            return path
        }
    }
}
