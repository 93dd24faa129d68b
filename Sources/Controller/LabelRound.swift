import BlockModel
import PagingFormats
import Primitives

/// Reads or writes the labels of all devices, one device after the other. Written, those without a label come first and
/// each is flushed before the next, so that no label tells of a device that has none yet.
struct LabelRound {
    /// The request that a label's transfer or flush is; Memory's are small numbers.
    static var request: UInt32 { .max }

    enum Purpose {
        case read
        case write(epoch: UInt32, lineage: UInt64)
    }

    /// What comes next: a request, or the round's end; nil with a device that failed.
    enum Step {
        case request(StorageRequest)
        case written(UInt32?)
        case found([DeviceFinding]?)
    }

    private let description: ArrayDescription
    private let area: UnsafeMutableRawPointer
    private let slices: UnsafeMutablePointer<ByteSlice>
    /// By device: both slots hold a label that counts.
    private var isLabelled: [Bool]
    /// Devices that are still to be done in this round; the first one is under way.
    private var left: [Int] = []
    private var isFlushing = false
    private var purpose = Purpose.read
    private var findings: [DeviceFinding] = []

    init(_ description: ArrayDescription, _ findings: [DeviceFinding]) {
        self.description = description
        area = .allocate(byteCount: DeviceLabel.areaBytes, alignment: 4096)
        slices = .allocate(capacity: 1)
        slices.initialize(to: ByteSlice(base: area, count: DeviceLabel.areaBytes))
        isLabelled = description.devices.indices.map { index in
            index < findings.count && (findings[index].label?.epoch ?? 0) > 0
        }
    }

    /// The last use; nothing is under way any more.
    func deallocate() {
        area.deallocate()
        slices.deallocate()
    }

    /// Begins a round; Pair asks for one at a time.
    mutating func begin(_ purpose: Purpose) -> Step {
        self.purpose = purpose
        let all = description.devices.indices
        left = all.filter { !isLabelled[$0] } + all.filter { isLabelled[$0] }
        if case .read = purpose { left = Array(all) }
        isFlushing = false
        findings = []
        return next
    }

    /// The request under way ended.
    mutating func completed(fault: BlockFault?) -> Step {
        guard fault == nil, let device = left.first else {
            left = []
            if case .read = purpose { return .found(nil) }
            return .written(nil)
        }
        switch purpose {
        case .read:
            findings.append(
                DeviceFinding(decoding: area, isVolatile: description.devices[device].kind == .memory))
            left.removeFirst()
        case .write(let epoch, _):
            if isFlushing {
                isLabelled[device] = epoch > 0
                left.removeFirst()
            }
            isFlushing.toggle()
        }
        return next
    }

    private var next: Step {
        switch purpose {
        case .read:
            guard let device = left.first else { return .found(findings) }
            return .request(transfer(.read, device, offset: 0, bytes: DeviceLabel.areaBytes))
        case .write(let epoch, let lineage):
            guard let device = left.first else { return .written(epoch) }
            if isFlushing { return .request(transfer(.flush, device, offset: 0, bytes: 0)) }
            return .request(write(device, epoch, lineage))
        }
    }

    private func write(_ device: Int, _ epoch: UInt32, _ lineage: UInt64) -> StorageRequest {
        let label = DeviceLabel(
            pairID: description.pairID, lineage: lineage, epoch: epoch, featureLevel: 1,
            devices: UInt32(description.devices.count), name: description.devices[device].name)
        label.encode(to: area)
        label.encode(to: area + DeviceLabel.slotBytes)
        // A new label goes to both slots; a later one leaves the label before it where it is.
        if !isLabelled[device] { return transfer(.write, device, offset: 0, bytes: DeviceLabel.areaBytes) }
        return transfer(
            .write, device, offset: Int(epoch % 2) * DeviceLabel.slotBytes, bytes: DeviceLabel.slotBytes)
    }

    private func transfer(
        _ kind: StorageRequest.Kind, _ device: Int, offset: Int, bytes: Int
    ) -> StorageRequest {
        slices[0] = ByteSlice(base: area, count: bytes)
        return StorageRequest(
            kind: kind, id: Self.request, device: DeviceIndex(UInt16(device)), offset: UInt64(offset),
            count: UInt32(bytes), slices: slices, sliceCount: bytes == 0 ? 0 : 1)
    }
}
