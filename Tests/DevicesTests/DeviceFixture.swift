import BlockModel
import Devices
import Glibc
import Primitives
import Testing

/// What the conformance suite runs over: a place that exists for one test.
enum Subject: String, CaseIterable, CustomTestStringConvertible {
    case file, memory, block
    var testDescription: String { rawValue }

    /// The block device is a loop device over a file, which only root can make.
    static var available: [Subject] { LoopDevice.isAvailable ? allCases : [.file, .memory] }
}

/// A folder of its own, removed at the end.
final class Scratch {
    let path: String
    init(in parent: String = "/tmp") {
        var template = Array("\(parent)/gemel-devices-XXXXXX".utf8CString)
        path = template.withUnsafeMutableBufferPointer { text in
            text.baseAddress.flatMap { mkdtemp($0) }.map { String(cString: $0) } ?? parent
        }
    }
    deinit {
        for name in ["disk", "other", "small"] { unlink("\(path)/\(name)") }
        rmdir(path)
    }
}

/// A loop device over a file; released at the end.
final class LoopDevice {
    let path: String

    static var isAvailable: Bool { geteuid() == 0 && access("/dev/loop-control", R_OK | W_OK) == 0 }

    init?(over file: String) {
        guard let pipe = popen("losetup --find --show \(file) 2>/dev/null", "r") else { return nil }
        var line = [CChar](repeating: 0, count: 128)
        let got = fgets(&line, 127, pipe) != nil
        guard pclose(pipe) == 0, got else { return nil }
        let text = line.withUnsafeBufferPointer { $0.baseAddress.map { String(cString: $0) } ?? "" }
        path = text.split(separator: "\n").first.map(String.init) ?? ""
    }

    deinit { _ = system("losetup --detach \(path)") }
}

/// An open set of one device, and 256 KiB of pages.
struct Bench: ~Copyable {
    var set: DeviceSet
    let pages: UnsafeMutableRawPointer
    let slices: UnsafeMutablePointer<ByteSlice>
    private let scratch: Scratch
    private let loop: LoopDevice?
    static var bytes: UInt64 { 4 << 20 }

    init(_ subject: Subject) throws {
        let scratch = Scratch(in: subject == .memory ? "/dev/shm" : "/tmp")
        let path = "\(scratch.path)/disk"
        var loop: LoopDevice?
        let place: DeviceSpec.Place
        switch subject {
        case .file:
            try DeviceFile.create(path, bytes: Self.bytes)
            place = .file(path)
        case .memory: place = .memory(path)
        case .block:
            try DeviceFile.create(path, bytes: Self.bytes)
            loop = LoopDevice(over: path)
            place = .block(loop?.path ?? "/dev/none")
        }
        let opened = try DeviceSet([DeviceSpec(name: "disk", place: place, bytes: Self.bytes)])
        set = opened
        self.scratch = scratch
        self.loop = loop
        pages = .allocate(byteCount: 64 * 4096, alignment: 4096)
        slices = .allocate(capacity: 1024)
    }

    deinit {
        pages.deallocate()
        slices.deallocate()
    }

    /// A transfer of the pages `first ..< first + count` at `offset`.
    mutating func transfer(
        _ kind: StorageRequest.Kind, id: UInt32, offset: UInt64, first: Int, count: Int
    ) {
        for index in 0..<count {
            slices[first + index] = ByteSlice(base: pages + (first + index) * 4096, count: 4096)
        }
        set.enqueue(
            StorageRequest(
                kind: kind, id: id, device: DeviceIndex(0), offset: offset, count: UInt32(count * 4096),
                slices: slices + first, sliceCount: UInt32(count)))
    }

    mutating func flush(id: UInt32) {
        set.enqueue(
            StorageRequest(
                kind: .flush, id: id, device: DeviceIndex(0), offset: 0, count: 0, slices: slices, sliceCount: 0))
    }

    /// Submits, and waits until `count` completions are there; by identifier.
    mutating func complete(_ count: Int) -> [UInt32: BlockFault?] {
        var found: [UInt32: BlockFault?] = [:]
        var queue = Queue<StorageCompletion>()
        for _ in 0..<10_000 where found.count < count {
            if set.hasWork { set.submit() }
            if !set.hasCompletions { usleep(500) }
            set.collect(into: &queue)
            while let completion = queue.popFirst() { found.updateValue(completion.fault, forKey: completion.id) }
        }
        return found
    }

    /// Takes the end of the file away, as another program might.
    func shorten(to bytes: Int) { truncate("\(scratch.path)/disk", bytes) }

    func fill(_ page: Int, _ value: UInt8) { memset(pages + page * 4096, Int32(value), 4096) }
    func byte(_ page: Int, _ offset: Int) -> UInt8 { pages.load(fromByteOffset: page * 4096 + offset, as: UInt8.self) }
}
