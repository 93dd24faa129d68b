import BlockModel
import Primitives

/// A request that a device works on.
struct DeviceRequest {
    var host: Int
    /// The life of the process that asked; its completion reaches no other.
    var life: UInt64
    var kind: StorageRequest.Kind
    var id: UInt32
    var offset: Int
    var count: Int
    /// Copied from the request: the list itself may go when the process dies.
    var slices: [ByteSlice]
    /// The data as it was when the process died; until then the slices hold it.
    var orphaned: [UInt8]?
    /// CRC32C of a write's data when it was asked for: the data may not change until the completion.
    var checksum: UInt32
    var fault: BlockFault?
    /// Of an orphaned or failed write only the sectors land whose bit, by number modulo 64, is set here.
    var landing: UInt64 = .max
}

/// A storage device that both controllers reach: sectors in memory, requests that take their time and end in any
/// order. It stays valid when a process dies, and goes on with what it was asked.
final class SharedDevice {
    let bytes: UnsafeMutableRawPointer
    let count: Int
    private(set) var requests: [DeviceRequest?] = []
    private var free: [Int] = []

    /// Bytes that a discard takes away together or not at all: a file system frees its blocks in one transaction, and
    /// does not stop in a page with its trailer because the process that asked dies.
    private let discardUnit: Int

    init(count: Int, discardUnit: Int = 512) {
        self.count = count
        self.discardUnit = discardUnit
        bytes = .allocate(byteCount: count, alignment: 4096)
        bytes.initializeMemory(as: UInt8.self, repeating: 0, count: count)
    }

    deinit { bytes.deallocate() }

    /// Takes a request in; its place in the table.
    func start(_ request: DeviceRequest) -> Int {
        if let place = free.popLast() {
            requests[place] = request
            return place
        }
        requests.append(request)
        return requests.count - 1
    }

    /// Takes a request out for its end.
    func take(_ place: Int) -> DeviceRequest? {
        guard let request = requests[place] else { return nil }
        requests[place] = nil
        free.append(place)
        return request
    }

    /// Requests of a host that are under way, of whatever life.
    func inFlight(host: Int) -> Int {
        var found = 0
        for request in requests where request?.host == host { found += 1 }
        return found
    }

    /// Writes of a host's lives up to `life` that may still land.
    func mayLand(host: Int, upTo life: UInt64) -> Bool {
        requests.contains { request in
            guard let request, request.host == host, request.life <= life else { return false }
            return request.kind != .read && request.landing != 0
        }
    }

    /// The process of a host died: keep what its writes carry; what it wanted to read goes nowhere.
    func orphan(host: Int, landing: () -> UInt64) {
        for place in requests.indices {
            guard var request = requests[place], request.host == host, request.orphaned == nil else { continue }
            request.orphaned = request.kind == .write ? gather(request.slices, request.count) : []
            request.slices = []
            request.landing &= landing()
            requests[place] = request
        }
    }

    /// Moves the data of a read or write that ends now. `stored` sees each sector before it lands.
    func transfer(_ request: DeviceRequest, stored: (_ offset: Int, _ data: UnsafeRawPointer) -> Void) {
        switch request.kind {
        case .read:
            if request.orphaned != nil || request.fault != nil { return }
            var offset = request.offset
            for slice in request.slices {
                slice.base.copyMemory(from: bytes + offset, byteCount: slice.count)
                offset += slice.count
            }
        case .write:
            let data = request.orphaned ?? gather(request.slices, request.count)
            data.withUnsafeBytes { source in
                guard let base = source.baseAddress else { return }
                for sector in 0..<source.count / 512 where request.landing >> UInt64(sector % 64) & 1 == 1 {
                    stored(request.offset + sector * 512, base + sector * 512)
                    (bytes + request.offset + sector * 512).copyMemory(from: base + sector * 512, byteCount: 512)
                }
            }
        case .discard:
            // Of one whose process died, a part may have been done.
            for unit in 0..<request.count / discardUnit where request.landing >> UInt64(unit % 64) & 1 == 1 {
                (bytes + request.offset + unit * discardUnit).initializeMemory(
                    as: UInt8.self, repeating: 0, count: discardUnit)
            }
        case .flush, .allocate, .query, .usage: break
        }
    }

    /// CRC32C over the slices of a request.
    static func checksum(_ slices: [ByteSlice]) -> UInt32 {
        var crc: UInt32 = ~0
        for slice in slices { crc = Checksum.extend(crc, slice.base, slice.count) }
        return ~crc
    }

    private func gather(_ slices: [ByteSlice], _ count: Int) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            var offset = 0
            for slice in slices where offset + slice.count <= count {
                buffer.baseAddress.map {
                    UnsafeMutableRawPointer($0 + offset).copyMemory(from: slice.base, byteCount: slice.count)
                }
                offset += slice.count
            }
            filled = offset
        }
    }
}
