import BlockModel
import Glibc
import Primitives

// What a device's answer means, and the arithmetic around a request.
extension DeviceSet {
    /// End of a request on its device, nil when it is not a request (overflow, lengths that are no multiple of 512,
    /// slices that do not add up).
    static func end(_ request: StorageRequest) -> UInt64? {
        if request.kind == .flush { return 0 }
        if request.kind == .usage { return request.sliceCount == 1 && request.slices[0].count >= 16 ? 0 : nil }
        let (end, overflow) = request.offset.addingReportingOverflow(UInt64(request.count))
        if overflow || end > UInt64(Int64.max) || request.offset % 512 != 0 || request.count % 512 != 0 { return nil }
        if request.kind == .discard || request.kind == .allocate { return end }
        if request.kind == .query {
            return request.sliceCount == 1 && request.slices[0].count >= PageSize.bytes ? end : nil
        }
        var sum = 0
        for index in 0..<Int(request.sliceCount) { sum += request.slices[index].count }
        return sum == Int(request.count) && request.sliceCount <= 1024 ? end : nil
    }

    /// The fault of a failed request whose reason is no errno.
    static func fault(_ kind: StorageRequest.Kind) -> BlockFault { kind == .read ? .unreadable : .unwritable }

    /// The fault that an errno means.
    static func fault(_ kind: StorageRequest.Kind, errno code: Int32) -> BlockFault {
        switch code {
        case ENODEV, ENXIO, ENOTCONN, ESHUTDOWN, EBADF: .deviceGone
        case ENOSPC, EDQUOT: kind == .read ? .unreadable : .spaceExhausted
        default: fault(kind)
        }
    }

    /// Performs a request on a mapped device.
    static func copy(_ request: StorageRequest, _ base: UnsafeMutableRawPointer) {
        var at = base + Int(request.offset)
        switch request.kind {
        case .read, .write:
            for index in 0..<Int(request.sliceCount) {
                let slice = request.slices[index]
                if request.kind == .read {
                    memcpy(slice.base, at, slice.count)
                } else {
                    memcpy(at, slice.base, slice.count)
                }
                at += slice.count
            }
        case .discard: memset(at, 0, Int(request.count))
        case .query:
            // A mapped device has all its memory: one entry, mapped.
            guard request.sliceCount == 1 else { return }
            request.slices[0].base.put(little64: 1, 0)
            request.slices[0].base.put(little64: request.offset, 8)
            request.slices[0].base.put(little64: UInt64(request.count) | 1 << 63, 16)
        case .usage:
            // A mapped device is never thin: it has all its memory, and no more.
            request.slices[0].base.put(little64: 0, 0)
            request.slices[0].base.put(little64: 0, 8)
        case .flush, .allocate: break
        }
    }
}
