// Affiant for C++17: affiant.h with owners that free what they own, moves instead of copies, and errors that
// cannot be overlooked. Header-only; link what affiant.h is linked with.
//
//   affiant::runtime ledger = affiant::options().directory("data").open();
//   affiant::txid id = ledger.run([](affiant::transaction &tx) { tx.put("accounts", "alice", "10"); });
//   affiant::receipt proof = ledger.receipt(id);
//
// Errors      A failed call throws affiant::error. With AFFIANT_NO_EXCEPTIONS defined (or -fno-exceptions) each
//             function returns affiant::expected<T> instead, which holds the value or the error.
// Threads     As in affiant.h: const member functions may run on any number of threads at once, others on one
//             thread at a time. An object may be moved to another thread.
// Views       bytes_view looks into an object; each function says how long that lives.
// Endpoints   Any callable will do. What it throws becomes an answer with status 500, never an unwind through C.
#ifndef AFFIANT_HPP
#define AFFIANT_HPP

#include "affiant.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <iterator>
#include <limits>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#if !defined(AFFIANT_NO_EXCEPTIONS) && !defined(__cpp_exceptions)
#define AFFIANT_NO_EXCEPTIONS 1
#endif

namespace affiant {

/// Bytes that lie somewhere else, as std::span has them. Empty by default.
class bytes_view {
public:
    using value_type = std::uint8_t;
    using const_iterator = const std::uint8_t *;

    constexpr bytes_view() noexcept = default;
    bytes_view(const void *data, std::size_t size) noexcept
        : data_(static_cast<const std::uint8_t *>(data)), size_(size) {}
    bytes_view(std::string_view text) noexcept : bytes_view(text.data(), text.size()) {}
    bytes_view(const std::string &text) noexcept : bytes_view(text.data(), text.size()) {}
    bytes_view(const char *text) noexcept : bytes_view(std::string_view(text)) {}
    bytes_view(const std::vector<std::uint8_t> &bytes) noexcept
        : bytes_view(bytes.data(), bytes.size()) {}
    bytes_view(affiant_slice slice) noexcept : bytes_view(slice.data, slice.size) {}

    const std::uint8_t *data() const noexcept { return data_; }
    std::size_t size() const noexcept { return size_; }
    bool empty() const noexcept { return size_ == 0; }
    const_iterator begin() const noexcept { return data_; }
    const_iterator end() const noexcept { return data_ + size_; }

    /// The same bytes as text; nothing is copied or checked.
    std::string_view text() const noexcept {
        return size_ == 0 ? std::string_view()
                          : std::string_view(reinterpret_cast<const char *>(data_), size_);
    }
    /// A copy.
    std::string str() const { return std::string(text()); }

    affiant_slice slice() const noexcept {
        affiant_slice slice = {data_, size_};
        return slice;
    }

    friend bool operator==(bytes_view a, bytes_view b) noexcept { return a.text() == b.text(); }
    friend bool operator!=(bytes_view a, bytes_view b) noexcept { return !(a == b); }

private:
    const std::uint8_t *data_ = nullptr;
    std::size_t size_ = 0;
};

/// The id of a transaction, such as 2.17.
struct txid {
    std::uint64_t view = 0;
    std::uint64_t seqno = 0;

    txid() noexcept = default;
    txid(affiant_txid id) noexcept : view(id.view), seqno(id.seqno) {}
    affiant_txid raw() const noexcept {
        affiant_txid id = {view, seqno};
        return id;
    }
    std::string str() const { return std::to_string(view) + "." + std::to_string(seqno); }

    friend bool operator==(txid a, txid b) noexcept {
        return a.view == b.view && a.seqno == b.seqno;
    }
    friend bool operator!=(txid a, txid b) noexcept { return !(a == b); }
};

/// Why a call failed: a status of affiant.h, and what happened, where, and what to do.
class error : public std::runtime_error {
public:
    error(affiant_status status, const std::string &text)
        : std::runtime_error(std::string(affiant_status_name(status)) + ": " + text),
          status_(status) {}
    affiant_status status() const noexcept { return status_; }
    const char *name() const noexcept { return affiant_status_name(status_); }

private:
    affiant_status status_;
};

/// A value or an error, for programs without exceptions.
template <class T> class expected {
public:
    expected(T value) : held_(std::in_place_index<0>, std::move(value)) {}
    expected(affiant::error why) : held_(std::in_place_index<1>, std::move(why)) {}
    bool has_value() const noexcept { return held_.index() == 0; }
    explicit operator bool() const noexcept { return has_value(); }
    /// The value; there must be one.
    T &operator*() & { return *std::get_if<0>(&held_); }
    const T &operator*() const & { return *std::get_if<0>(&held_); }
    T &&operator*() && { return std::move(*std::get_if<0>(&held_)); }
    T *operator->() { return std::get_if<0>(&held_); }
    const T *operator->() const { return std::get_if<0>(&held_); }
    /// The error; there must be one.
    const affiant::error &error() const { return *std::get_if<1>(&held_); }

private:
    std::variant<T, affiant::error> held_;
};

template <> class expected<void> {
public:
    expected() = default;
    expected(affiant::error why) : why_(std::move(why)) {}
    bool has_value() const noexcept { return !why_.has_value(); }
    explicit operator bool() const noexcept { return has_value(); }
    const affiant::error &error() const { return *why_; }

private:
    std::optional<affiant::error> why_;
};

#ifdef AFFIANT_NO_EXCEPTIONS
/// What functions return: the value or an error.
template <class T> using returns = expected<T>;
#else
/// What functions return; a failure is thrown.
template <class T> using returns = T;
#endif

/// A time that is waited at most; the default is a minute.
using timeout = std::chrono::milliseconds;
constexpr timeout default_timeout{60000};

namespace detail {

inline std::uint64_t milliseconds(timeout patience) noexcept {
    return patience.count() < 0 ? 0 : static_cast<std::uint64_t>(patience.count());
}

inline error failure(affiant_status status, const void *object) {
    std::string text(affiant_error_text(object, nullptr, 0), '\0');
    if (text.empty()) {
        return error(status, affiant_status_text(status));
    }
    affiant_error_text(object, &text[0], text.size() + 1);
    return error(status, text);
}

template <class T> returns<T> fail(affiant_status status, const void *object) {
#ifdef AFFIANT_NO_EXCEPTIONS
    return failure(status, object);
#else
    throw failure(status, object);
#endif
}

/// The value that `make` makes, if the call succeeded.
template <class T, class Make>
returns<T> finish(affiant_status status, const void *object, Make make) {
    if (status != AFFIANT_OK) {
        return fail<T>(status, object);
    }
    return make();
}

inline returns<void> finish(affiant_status status, const void *object) {
    if (status != AFFIANT_OK) {
        return fail<void>(status, object);
    }
    return returns<void>();
}

/// As finish, where AFFIANT_NOT_FOUND is an answer.
template <class T, class Make>
returns<std::optional<T>> find(affiant_status status, const void *object, Make make) {
    if (status == AFFIANT_NOT_FOUND) {
        return std::optional<T>();
    }
    return finish<std::optional<T>>(status, object,
                                    [&] { return std::optional<T>(make()); });
}

/// Owns a handle.
template <class Handle, affiant_status (*Free)(Handle *)> class owner {
public:
    explicit owner(Handle *handle = nullptr) noexcept : handle_(handle) {}
    owner(owner &&other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
    owner &operator=(owner &&other) noexcept {
        if (this != &other) {
            reset();
            handle_ = std::exchange(other.handle_, nullptr);
        }
        return *this;
    }
    owner(const owner &) = delete;
    owner &operator=(const owner &) = delete;
    ~owner() { reset(); }
    Handle *get() const noexcept { return handle_; }

private:
    void reset() noexcept {
        if (handle_ != nullptr) {
            Free(handle_);
        }
        handle_ = nullptr;
    }
    Handle *handle_;
};

} // namespace detail

/// Which keys an iteration goes over; unset bounds are none.
struct range {
    std::optional<bytes_view> from;
    std::optional<bytes_view> to;
    bytes_view prefix;
    std::uint64_t limit = 0;
    bool from_excluded = false;
    bool to_included = false;

    /// All keys that begin with this.
    static range of_prefix(bytes_view prefix) {
        range made;
        made.prefix = prefix;
        return made;
    }

    affiant_range raw() const noexcept {
        affiant_range made = {};
        made.size = sizeof made;
        made.from = bound(from);
        made.to = bound(to);
        made.prefix = prefix.slice();
        made.limit = limit;
        made.from_excluded = from_excluded ? 1 : 0;
        made.to_included = to_included ? 1 : 0;
        return made;
    }

private:
    // A bound that is there and empty is not the same as none.
    static affiant_slice bound(const std::optional<bytes_view> &key) noexcept {
        if (!key) {
            return affiant_data(nullptr, 0);
        }
        return key->data() == nullptr ? affiant_data("", 0) : key->slice();
    }
};

/// An entry of an iteration. The views live until the iteration goes on.
struct entry {
    bytes_view key;
    bytes_view value;
};

/// An iteration over entries, ascending by key, for one range-for. A failure on the way throws; without
/// exceptions it ends the loop, and status() has it.
class entries {
public:
    class iterator {
    public:
        using iterator_category = std::input_iterator_tag;
        using value_type = entry;
        using difference_type = std::ptrdiff_t;
        using pointer = const entry *;
        using reference = const entry &;

        iterator() noexcept = default;
        explicit iterator(entries *over) : over_(over) { ++*this; }
        reference operator*() const noexcept { return over_->current_; }
        pointer operator->() const noexcept { return &over_->current_; }
        iterator &operator++() {
            if (!over_->advance()) {
                over_ = nullptr;
            }
            return *this;
        }
        void operator++(int) { ++*this; }
        friend bool operator==(const iterator &a, const iterator &b) noexcept {
            return a.over_ == b.over_;
        }
        friend bool operator!=(const iterator &a, const iterator &b) noexcept { return !(a == b); }

    private:
        entries *over_ = nullptr;
    };

    explicit entries(affiant_iterator *handle) noexcept : handle_(handle) {}
    iterator begin() { return iterator(this); }
    iterator end() noexcept { return iterator(); }
    /// AFFIANT_OK, or why it ended early.
    affiant_status status() const noexcept { return status_; }

private:
    bool advance() {
        affiant_slice key = {}, value = {};
        affiant_status status = affiant_iterator_next(handle_.get(), &key, &value);
        if (status == AFFIANT_OK) {
            current_ = entry{key, value};
            return true;
        }
        if (status != AFFIANT_END) {
            status_ = status;
#ifndef AFFIANT_NO_EXCEPTIONS
            throw detail::failure(status, handle_.get());
#endif
        }
        return false;
    }

    detail::owner<affiant_iterator, affiant_iterator_free> handle_;
    entry current_;
    affiant_status status_ = AFFIANT_OK;
};

/// A transaction that somebody else owns, such as that of an endpoint.
class transaction_ref {
public:
    explicit transaction_ref(affiant_tx *handle) noexcept : handle_(handle) {}

    /// The value under a key; the view lives until the next call with this transaction.
    returns<std::optional<bytes_view>> get(std::string_view map, bytes_view key) {
        affiant_slice value = {};
        affiant_status status =
            affiant_tx_get(handle_, bytes_view(map).slice(), key.slice(), &value);
        return detail::find<bytes_view>(status, handle_, [&] { return bytes_view(value); });
    }
    returns<bool> has(std::string_view map, bytes_view key) {
        bool found = false;
        affiant_status status =
            affiant_tx_has(handle_, bytes_view(map).slice(), key.slice(), &found);
        return detail::finish<bool>(status, handle_, [&] { return found; });
    }
    returns<void> put(std::string_view map, bytes_view key, bytes_view value) {
        return detail::finish(
            affiant_tx_put(handle_, bytes_view(map).slice(), key.slice(), value.slice()), handle_);
    }
    /// Removes a key; that it was not there is no failure.
    returns<void> remove(std::string_view map, bytes_view key) {
        return detail::finish(affiant_tx_remove(handle_, bytes_view(map).slice(), key.slice()),
                              handle_);
    }
    /// Removes every key of a map.
    returns<void> clear(std::string_view map) {
        return detail::finish(affiant_tx_clear(handle_, bytes_view(map).slice()), handle_);
    }
    /// How many keys a map has.
    returns<std::uint64_t> count(std::string_view map) {
        std::uint64_t count = 0;
        affiant_status status = affiant_tx_count(handle_, bytes_view(map).slice(), &count);
        return detail::finish<std::uint64_t>(status, handle_, [&] { return count; });
    }
    /// The seqno of the transaction before this one that last wrote a key.
    returns<std::optional<std::uint64_t>> version_of(std::string_view map, bytes_view key) {
        std::uint64_t seqno = 0;
        affiant_status status =
            affiant_tx_version_of(handle_, bytes_view(map).slice(), key.slice(), &seqno);
        return detail::find<std::uint64_t>(status, handle_, [&] { return seqno; });
    }
    /// The entries of a map in a range. What is written ahead of the loop is seen by it.
    returns<entries> range(std::string_view map, const affiant::range &keys = affiant::range()) {
        affiant_range raw = keys.raw();
        affiant_iterator *iterator = nullptr;
        affiant_status status =
            affiant_tx_range(handle_, bytes_view(map).slice(), &raw, &iterator);
        return detail::finish<entries>(status, handle_, [&] { return entries(iterator); });
    }
    /// Attaches the SHA-256 of what the transaction claims to the world: 32 bytes.
    returns<void> claims_digest(bytes_view digest) {
        return detail::finish(affiant_tx_set_claims_digest(handle_, digest.slice()), handle_);
    }

    affiant_tx *handle() const noexcept { return handle_; }

private:
    affiant_tx *handle_;
};

/// A transaction. Dropped without commit, it leaves no trace.
class transaction : public transaction_ref {
public:
    explicit transaction(affiant_tx *handle) noexcept : transaction_ref(handle), owner_(handle) {}

    /// Commits; it is on disk once runtime::wait says so. A conflict is an error with AFFIANT_CONFLICT; the
    /// object then holds a fresh transaction, as it does after success.
    returns<txid> commit() {
        affiant_txid id = {};
        affiant_status status = affiant_tx_commit(handle(), &id);
        return detail::finish<txid>(status, handle(), [&] { return txid(id); });
    }
    /// Commits, and waits until it is on disk, signed and final.
    returns<txid> commit_and_wait(timeout patience = default_timeout) {
        affiant_txid id = {};
        affiant_status status =
            affiant_tx_commit_and_wait(handle(), detail::milliseconds(patience), &id);
        return detail::finish<txid>(status, handle(), [&] { return txid(id); });
    }
    /// Forgets what it has done, and begins anew.
    returns<void> reset() { return detail::finish(affiant_tx_reset(handle()), handle()); }

private:
    detail::owner<affiant_tx, affiant_tx_free> owner_;
};

/// One state of the ledger. Any number of threads may read it.
class snapshot {
public:
    explicit snapshot(affiant_snapshot *handle) noexcept : handle_(handle) {}

    /// The value under a key; the view lives as long as the snapshot.
    returns<std::optional<bytes_view>> get(std::string_view map, bytes_view key) const {
        affiant_slice value = {};
        affiant_status status =
            affiant_snapshot_get(handle_.get(), bytes_view(map).slice(), key.slice(), &value);
        return detail::find<bytes_view>(status, handle_.get(), [&] { return bytes_view(value); });
    }
    returns<bool> has(std::string_view map, bytes_view key) const {
        bool found = false;
        affiant_status status =
            affiant_snapshot_has(handle_.get(), bytes_view(map).slice(), key.slice(), &found);
        return detail::finish<bool>(status, handle_.get(), [&] { return found; });
    }
    returns<std::uint64_t> count(std::string_view map) const {
        std::uint64_t count = 0;
        affiant_status status =
            affiant_snapshot_count(handle_.get(), bytes_view(map).slice(), &count);
        return detail::finish<std::uint64_t>(status, handle_.get(), [&] { return count; });
    }
    /// The seqno of the transaction that last wrote a key.
    returns<std::optional<std::uint64_t>> version_of(std::string_view map, bytes_view key) const {
        std::uint64_t seqno = 0;
        affiant_status status = affiant_snapshot_version_of(handle_.get(), bytes_view(map).slice(),
                                                            key.slice(), &seqno);
        return detail::find<std::uint64_t>(status, handle_.get(), [&] { return seqno; });
    }
    /// The newest transaction in it.
    returns<txid> version() const {
        affiant_txid id = {};
        affiant_status status = affiant_snapshot_version(handle_.get(), &id);
        return detail::finish<txid>(status, handle_.get(), [&] { return txid(id); });
    }
    /// The entries of a map in a range.
    returns<entries> range(std::string_view map,
                           const affiant::range &keys = affiant::range()) const {
        affiant_range raw = keys.raw();
        affiant_iterator *iterator = nullptr;
        affiant_status status =
            affiant_snapshot_range(handle_.get(), bytes_view(map).slice(), &raw, &iterator);
        return detail::finish<entries>(status, handle_.get(), [&] { return entries(iterator); });
    }
    /// The names of the maps, as keys.
    returns<entries> maps() const {
        affiant_iterator *iterator = nullptr;
        affiant_status status = affiant_snapshot_maps(handle_.get(), &iterator);
        return detail::finish<entries>(status, handle_.get(), [&] { return entries(iterator); });
    }

    affiant_snapshot *handle() const noexcept { return handle_.get(); }

private:
    detail::owner<affiant_snapshot, affiant_snapshot_free> handle_;
};

/// One check of a verdict. The views live as long as the verdict.
struct check {
    std::string_view name;
    affiant_outcome outcome = AFFIANT_CHECK_SKIPPED;
    std::string_view explanation;
};

/// What came of checking a receipt, evidence or a service.
class verdict {
public:
    explicit verdict(affiant_verdict *handle) noexcept : handle_(handle) {}

    bool valid() const noexcept {
        bool valid = false;
        return affiant_verdict_is_valid(handle_.get(), &valid) == AFFIANT_OK && valid;
    }
    explicit operator bool() const noexcept { return valid(); }
    /// The transaction that a receipt speaks of.
    returns<std::optional<affiant::txid>> txid() const {
        affiant_txid id = {};
        affiant_status status = affiant_verdict_txid(handle_.get(), &id);
        return detail::find<affiant::txid>(status, handle_.get(),
                                           [&] { return affiant::txid(id); });
    }
    /// Every check, in the order in which they were made.
    std::vector<check> checks() const {
        std::vector<check> all;
        for (std::size_t index = 0;; index++) {
            affiant_check raw = {};
            raw.size = sizeof raw;
            if (affiant_verdict_check(handle_.get(), index, &raw) != AFFIANT_OK) {
                return all;
            }
            all.push_back(check{bytes_view(raw.name).text(), raw.outcome,
                                bytes_view(raw.explanation).text()});
        }
    }
    /// All of it as JSON; the view lives as long as the verdict.
    std::string_view json() const noexcept {
        affiant_slice json = {};
        affiant_verdict_json(handle_.get(), &json);
        return bytes_view(json).text();
    }

private:
    detail::owner<affiant_verdict, affiant_verdict_free> handle_;
};

/// What a receipt is checked against beside the service's certificate.
struct expected_claims {
    std::optional<bytes_view> claims;
    std::optional<bytes_view> digest;
    /// When certificates must be valid, in seconds since 1970; 0: not checked.
    std::uint64_t at_unix_s = 0;
};

/// Checks a receipt, JSON or COSE, against a service's certificate (PEM), offline. A receipt that does not hold is
/// a verdict that is not valid; one that cannot be read is an error.
inline returns<verdict> verify_receipt(bytes_view receipt, std::string_view service_certificate,
                                       const expected_claims &wanted = expected_claims()) {
    affiant_receipt_options options = {};
    options.size = sizeof options;
    options.at_unix_s = wanted.at_unix_s;
    if (wanted.claims) {
        options.claims = wanted.claims->empty() ? affiant_data("", 0) : wanted.claims->slice();
    }
    if (wanted.digest) {
        options.claims_digest = wanted.digest->slice();
    }
    affiant_verdict *made = nullptr;
    affiant_status status = affiant_verify_receipt(
        receipt.slice(), bytes_view(service_certificate).slice(), &options, &made);
    if (status == AFFIANT_NOT_VERIFIED && made != nullptr) {
        status = AFFIANT_OK;
    }
    return detail::finish<verdict>(status, nullptr, [&] { return verdict(made); });
}

/// The proof of one transaction.
class receipt {
public:
    explicit receipt(affiant_receipt *handle) noexcept : handle_(handle) {}

    /// As JSON; the view lives as long as the receipt.
    std::string_view json() const noexcept {
        affiant_slice json = {};
        affiant_receipt_json(handle_.get(), &json);
        return bytes_view(json).text();
    }
    /// As COSE; none for a signature transaction. The view lives as long as the receipt.
    std::optional<bytes_view> cose() const noexcept {
        affiant_slice cose = {};
        if (affiant_receipt_cose(handle_.get(), &cose) != AFFIANT_OK) {
            return std::nullopt;
        }
        return bytes_view(cose);
    }
    affiant::txid txid() const noexcept {
        affiant_txid id = {};
        affiant_receipt_txid(handle_.get(), &id);
        return affiant::txid(id);
    }
    /// Checks it against the service's certificate.
    returns<verdict> verify(std::string_view service_certificate,
                            const expected_claims &wanted = expected_claims()) const {
        return verify_receipt(json(), service_certificate, wanted);
    }

private:
    detail::owner<affiant_receipt, affiant_receipt_free> handle_;
};

/// A request, in the hands of an endpoint; every view lives until the endpoint returns.
class request {
public:
    explicit request(const affiant_request *handle) noexcept : handle_(handle) {}

    std::string_view method() const noexcept { return part(affiant_request_method).text(); }
    /// As it was sent, without the query.
    std::string_view path() const noexcept { return part(affiant_request_path).text(); }
    std::string_view query() const noexcept { return part(affiant_request_query).text(); }
    bytes_view body() const noexcept { return part(affiant_request_body); }
    /// What stands in the path where the template has {name}.
    std::optional<std::string_view> param(std::string_view name) const {
        return named(affiant_request_param, name);
    }
    /// A parameter of the query, decoded.
    std::optional<std::string_view> query_parameter(std::string_view name) const {
        return named(affiant_request_query_parameter, name);
    }
    std::optional<std::string_view> header(std::string_view name) const {
        return named(affiant_request_header, name);
    }
    /// The policy that admitted the caller, such as "user_cert"; empty if nobody was asked.
    std::string_view caller() const noexcept { return part(affiant_request_caller).text(); }
    /// The id of a caller known by certificate.
    std::string_view caller_id() const noexcept { return part(affiant_request_caller_id).text(); }

    const affiant_request *handle() const noexcept { return handle_; }

private:
    bytes_view part(affiant_status (*ask)(const affiant_request *,
                                          affiant_slice *)) const noexcept {
        affiant_slice found = {};
        return ask(handle_, &found) == AFFIANT_OK ? bytes_view(found) : bytes_view();
    }
    std::optional<std::string_view>
    named(affiant_status (*ask)(const affiant_request *, affiant_slice, affiant_slice *),
          std::string_view name) const {
        affiant_slice found = {};
        if (ask(handle_, bytes_view(name).slice(), &found) != AFFIANT_OK) {
            return std::nullopt;
        }
        return bytes_view(found).text();
    }

    const affiant_request *handle_;
};

/// The answer that an endpoint writes: 200 and empty, until told otherwise.
class reply {
public:
    explicit reply(affiant_response *handle) noexcept : handle_(handle) {}

    returns<void> status(std::uint16_t status) {
        return detail::finish(affiant_response_set_status(handle_, status), handle_);
    }
    returns<void> header(std::string_view name, std::string_view value) {
        return detail::finish(affiant_response_set_header(handle_, bytes_view(name).slice(),
                                                          bytes_view(value).slice()),
                              handle_);
    }
    /// The body, which is copied.
    returns<void> body(bytes_view body) {
        return detail::finish(affiant_response_set_body(handle_, body.slice()), handle_);
    }
    /// An error as CCF writes them; the transaction is dropped.
    returns<void> error(std::uint16_t status, std::string_view code, std::string_view message) {
        return detail::finish(affiant_response_set_error(handle_, status, bytes_view(code).slice(),
                                                         bytes_view(message).slice()),
                              handle_);
    }
    /// Whether writes are kept, whatever the status; without it, those of a 2xx are.
    returns<void> keep_writes(bool keep) {
        return detail::finish(affiant_response_keep_writes(handle_, keep), handle_);
    }

private:
    affiant_response *handle_;
};

/// The answer to runtime::call.
class response {
public:
    explicit response(affiant_response *handle) noexcept : handle_(handle) {}

    std::uint16_t status() const noexcept {
        std::uint16_t status = 0;
        affiant_response_status(handle_.get(), &status);
        return status;
    }
    /// The view lives as long as the response.
    bytes_view body() const noexcept {
        affiant_slice body = {};
        affiant_response_body(handle_.get(), &body);
        return bytes_view(body);
    }
    /// The view lives as long as the response.
    std::optional<std::string_view> header(std::string_view name) const {
        affiant_slice value = {};
        if (affiant_response_header(handle_.get(), bytes_view(name).slice(), &value) !=
            AFFIANT_OK) {
            return std::nullopt;
        }
        return bytes_view(value).text();
    }

private:
    detail::owner<affiant_response, affiant_response_free> handle_;
};

/// What an endpoint is declared with; the defaults are: it writes, answers at commit, and anybody may call.
struct endpoint_options {
    affiant_mode mode = AFFIANT_MODE_READ_WRITE;
    affiant_respond respond = AFFIANT_RESPOND_AT_COMMIT;
    /// Such as "user_cert", tried in order.
    std::vector<std::string_view> policies;

    static endpoint_options read_only() {
        endpoint_options made;
        made.mode = AFFIANT_MODE_READ_ONLY;
        return made;
    }
};

/// How an app is loaded; 0 leaves the default.
struct app_options {
    std::uint64_t execution_ms_max = 0;
    std::uint64_t heap_bytes_max = 0;
    std::uint64_t stack_bytes_max = 0;
    /// Answers say how a handler failed.
    bool exception_details = false;
    /// The app goes into the ledger's tables too, for auditors.
    bool record = false;
};

/// Bytes that a function has made; overwritten when they are freed.
class bytes {
public:
    explicit bytes(affiant_bytes *handle) noexcept : handle_(handle) {}
    bytes_view view() const noexcept {
        affiant_slice view = {};
        affiant_bytes_view(handle_.get(), &view);
        return bytes_view(view);
    }
    operator bytes_view() const noexcept { return view(); }
    std::string_view text() const noexcept { return view().text(); }

private:
    detail::owner<affiant_bytes, affiant_bytes_free> handle_;
};

/// The SHA-256 of data: 32 bytes.
inline std::vector<std::uint8_t> sha256(bytes_view data) {
    std::vector<std::uint8_t> digest(32);
    affiant_sha256(data.slice(), digest.data());
    return digest;
}

/// A key pair, or the public half of one. Any number of threads at once.
class key {
public:
    explicit key(affiant_key *handle) noexcept : handle_(handle) {}

    /// One of AFFIANT_KEY_...
    static returns<key> generate(affiant_key_kind kind) {
        affiant_key *made = nullptr;
        affiant_status status = affiant_key_generate(kind, &made);
        return detail::finish<key>(status, nullptr, [&] { return key(made); });
    }
    static returns<key> from_pem(std::string_view pem) {
        affiant_key *made = nullptr;
        affiant_status status = affiant_key_from_pem(bytes_view(pem).slice(), &made);
        return detail::finish<key>(status, nullptr, [&] { return key(made); });
    }
    static returns<key> from_jwk(std::string_view json) {
        affiant_key *made = nullptr;
        affiant_status status = affiant_key_from_jwk(bytes_view(json).slice(), &made);
        return detail::finish<key>(status, nullptr, [&] { return key(made); });
    }
    returns<bytes> public_pem() const { return written(affiant_key_public_pem); }
    returns<bytes> private_pem() const { return written(affiant_key_private_pem); }
    /// `hash` is one of AFFIANT_HASH_..., or 0 for what goes with the key.
    returns<bytes> sign(bytes_view data, affiant_hash hash = 0) const {
        affiant_bytes *made = nullptr;
        affiant_status status = affiant_key_sign(handle_.get(), hash, data.slice(), &made);
        return detail::finish<bytes>(status, handle_.get(), [&] { return bytes(made); });
    }
    bool verify(bytes_view data, bytes_view signature, affiant_hash hash = 0) const noexcept {
        return affiant_key_verify(handle_.get(), hash, data.slice(), signature.slice()) ==
               AFFIANT_OK;
    }
    /// A certificate for this private key, signed by itself: PEM. `subject` is such as "CN=alice".
    returns<bytes> self_signed(std::string_view subject, std::uint32_t days) const {
        affiant_bytes *made = nullptr;
        affiant_status status = affiant_key_self_signed_certificate(
            handle_.get(), bytes_view(subject).slice(), days, &made);
        return detail::finish<bytes>(status, handle_.get(), [&] { return bytes(made); });
    }

    affiant_key *handle() const noexcept { return handle_.get(); }

private:
    returns<bytes> written(affiant_status (*write)(const affiant_key *, affiant_bytes **)) const {
        affiant_bytes *made = nullptr;
        affiant_status status = write(handle_.get(), &made);
        return detail::finish<bytes>(status, handle_.get(), [&] { return bytes(made); });
    }

    detail::owner<affiant_key, affiant_key_free> handle_;
};

/// Checks evidence against a policy (JSON), offline. `bound` is what it must be bound to, if it is known.
inline returns<verdict> verify_evidence(bytes_view evidence, std::string_view policy_json,
                                        std::optional<bytes_view> bound = std::nullopt) {
    affiant_verdict *made = nullptr;
    affiant_slice wanted = {};
    if (bound) {
        wanted = bound->empty() ? affiant_data("", 0) : bound->slice();
    }
    affiant_status status = affiant_verify_evidence(
        evidence.slice(), bytes_view(policy_json).slice(), wanted, &made);
    if (status == AFFIANT_NOT_VERIFIED && made != nullptr) {
        status = AFFIANT_OK;
    }
    return detail::finish<verdict>(status, nullptr, [&] { return verdict(made); });
}

/// A running node: a ledger, its store, its endpoints and apps. Any number of threads may use it.
class runtime {
public:
    explicit runtime(affiant_runtime *handle) noexcept : handle_(handle) {}

    returns<transaction> begin() const {
        affiant_tx *tx = nullptr;
        affiant_status status = affiant_tx_begin(handle_.get(), &tx);
        return detail::finish<transaction>(status, handle_.get(), [&] { return transaction(tx); });
    }

    /// Calls `work` with a transaction and commits it durably; again, up to `attempts` times, when another one
    /// changed what it read. So `work` must depend on what it reads only. Returns the transaction's id.
    template <class Work>
    returns<txid> run(Work &&work, timeout patience = default_timeout, int attempts = 100) const {
        affiant_tx *handle = nullptr;
        affiant_status status = affiant_tx_begin(handle_.get(), &handle);
        if (status != AFFIANT_OK) {
            return detail::fail<txid>(status, handle_.get());
        }
        transaction tx(handle);
        for (int attempt = 1;; attempt++) {
            work(tx);
            affiant_txid id = {};
            status = affiant_tx_commit_and_wait(handle, detail::milliseconds(patience), &id);
            if (status == AFFIANT_OK) {
                return txid(id);
            }
            if (status != AFFIANT_CONFLICT || attempt >= attempts) {
                return detail::fail<txid>(status, handle);
            }
            std::this_thread::sleep_for(std::chrono::microseconds(50) * (attempt < 20 ? attempt : 20));
        }
    }

    /// The newest state.
    returns<affiant::snapshot> snapshot() const {
        affiant_snapshot *made = nullptr;
        affiant_status status = affiant_runtime_snapshot(handle_.get(), &made);
        return detail::finish<affiant::snapshot>(status, handle_.get(),
                                                 [&] { return affiant::snapshot(made); });
    }
    /// The receipt of a transaction, for whose commit it waits.
    returns<affiant::receipt> receipt(txid id, timeout patience = default_timeout) const {
        affiant_receipt *made = nullptr;
        affiant_status status = affiant_runtime_receipt(handle_.get(), id.raw(),
                                                        detail::milliseconds(patience), &made);
        return detail::finish<affiant::receipt>(status, handle_.get(),
                                                [&] { return affiant::receipt(made); });
    }
    /// Waits until a transaction is committed.
    returns<void> wait(txid id, timeout patience = default_timeout) const {
        return detail::finish(
            affiant_runtime_wait(handle_.get(), id.raw(), detail::milliseconds(patience)),
            handle_.get());
    }
    /// Waits until everything that is there is committed; the newest of it.
    returns<txid> sync(timeout patience = default_timeout) const {
        affiant_txid id = {};
        affiant_status status =
            affiant_runtime_sync(handle_.get(), detail::milliseconds(patience), &id);
        return detail::finish<txid>(status, handle_.get(), [&] { return txid(id); });
    }
    /// One of AFFIANT_TX_...
    returns<affiant_tx_status> status(txid id) const {
        affiant_tx_status found = AFFIANT_TX_UNKNOWN;
        affiant_status status = affiant_runtime_tx_status(handle_.get(), id.raw(), &found);
        return detail::finish<affiant_tx_status>(status, handle_.get(), [&] { return found; });
    }
    /// The id of the transaction with that seqno.
    returns<txid> txid_at(std::uint64_t seqno) const {
        affiant_txid id = {};
        affiant_status status = affiant_runtime_txid_at(handle_.get(), seqno, &id);
        return detail::finish<txid>(status, handle_.get(), [&] { return txid(id); });
    }
    returns<txid> last() const { return newest(affiant_runtime_last); }
    returns<txid> committed() const { return newest(affiant_runtime_committed); }
    /// The service's certificate, PEM; the view lives as long as the runtime.
    returns<std::string_view> service_certificate() const {
        affiant_slice pem = {};
        affiant_status status = affiant_runtime_service_certificate(handle_.get(), &pem);
        return detail::finish<std::string_view>(status, handle_.get(),
                                                [&] { return bytes_view(pem).text(); });
    }
    /// Where it listens, such as "127.0.0.1:41234"; the view lives as long as the runtime.
    returns<std::optional<std::string_view>> address(std::size_t index = 0) const {
        affiant_slice address = {};
        affiant_status status = affiant_runtime_address(handle_.get(), index, &address);
        return detail::find<std::string_view>(status, handle_.get(),
                                              [&] { return bytes_view(address).text(); });
    }
    /// Loads an app in JavaScript or Python, from a directory or a bundle, beside those that were loaded before.
    returns<void> load_app(std::string_view path,
                           const app_options &wanted = app_options()) const {
        affiant_app_options options = {};
        options.size = sizeof options;
        options.execution_ms_max = wanted.execution_ms_max;
        options.heap_bytes_max = wanted.heap_bytes_max;
        options.stack_bytes_max = wanted.stack_bytes_max;
        options.exception_details = wanted.exception_details ? 1 : 0;
        options.record = wanted.record ? 1 : 0;
        return detail::finish(
            affiant_runtime_load_app(handle_.get(), bytes_view(path).slice(), &options),
            handle_.get());
    }
    returns<void> unload_apps() const {
        return detail::finish(affiant_runtime_unload_apps(handle_.get()), handle_.get());
    }
    /// Calls an endpoint in this process, without HTTP; `certificate` is the caller's (PEM), or empty.
    returns<response> call(std::string_view method, std::string_view target, bytes_view body = {},
                           std::string_view certificate = {}) const {
        affiant_call asked = {};
        asked.size = sizeof asked;
        asked.method = bytes_view(method).slice();
        asked.target = bytes_view(target).slice();
        asked.body = body.slice();
        asked.certificate_pem = bytes_view(certificate).slice();
        affiant_response *answer = nullptr;
        affiant_status status = affiant_runtime_call(handle_.get(), &asked, &answer);
        return detail::finish<response>(status, handle_.get(), [&] { return response(answer); });
    }
    /// Fresh evidence of the platform, bound to bytes of the caller's own: JSON.
    returns<std::string> attestation(bytes_view bound) const {
        affiant_evidence *made = nullptr;
        affiant_status status = affiant_runtime_attestation(handle_.get(), bound.slice(), &made);
        detail::owner<affiant_evidence, affiant_evidence_free> evidence(made);
        affiant_slice json = {};
        if (status == AFFIANT_OK) {
            status = affiant_evidence_json(made, &json);
        }
        return detail::finish<std::string>(status, handle_.get(),
                                           [&] { return bytes_view(json).str(); });
    }
    /// Takes nothing new, waits for what is under way, signs and syncs, and ends every thread.
    returns<void> stop(timeout patience = default_timeout) const {
        return detail::finish(affiant_runtime_stop(handle_.get(), detail::milliseconds(patience)),
                              handle_.get());
    }

    affiant_runtime *handle() const noexcept { return handle_.get(); }

private:
    returns<txid> newest(affiant_status (*ask)(const affiant_runtime *, affiant_txid *)) const {
        affiant_txid id = {};
        affiant_status status = ask(handle_.get(), &id);
        return detail::finish<txid>(status, handle_.get(), [&] { return txid(id); });
    }

    detail::owner<affiant_runtime, affiant_runtime_free> handle_;
};

namespace detail {

template <class Handler>
affiant_status answer(void *userdata, const affiant_request *asked, affiant_tx *handle,
                      affiant_response *answered) noexcept {
    Handler &handler = *static_cast<Handler *>(userdata);
    const request incoming(asked);
    transaction_ref tx(handle);
    reply outgoing(answered);
#ifdef AFFIANT_NO_EXCEPTIONS
    handler(incoming, tx, outgoing);
    return AFFIANT_OK;
#else
    const char *what = "an exception that is no std::exception";
    std::string kept;
    try {
        handler(incoming, tx, outgoing);
        return AFFIANT_OK;
    } catch (const std::exception &thrown) {
        // Short of memory, the words are what is given up.
        try {
            kept = thrown.what();
            what = kept.c_str();
        } catch (...) {
            what = "an exception";
        }
    } catch (...) {
    }
    affiant_response_set_error(answered, 500, affiant_text("InternalError"), affiant_text(what));
    return AFFIANT_CALLBACK_FAILED;
#endif
}

template <class Handler> void discard(void *userdata) noexcept {
    delete static_cast<Handler *>(userdata);
}

} // namespace detail

/// What a runtime is opened with: in memory and without an address, until told otherwise. Setters may be chained; the
/// first failure among them is kept, and open() reports it.
class options {
public:
    options() {
        affiant_options *made = nullptr;
        note(affiant_options_new(AFFIANT_VERSION, &made), nullptr);
        handle_ = detail::owner<affiant_options, affiant_options_free>(made);
    }

    /// Where the data lies; what is there is resumed.
    options &directory(std::string_view path) {
        return set(affiant_options_set_directory(handle_.get(), bytes_view(path).slice()));
    }
    /// One of AFFIANT_SEALING_..., and its file; empty: beside the data.
    options &sealing(affiant_sealing kind, std::string_view path = std::string_view()) {
        return set(affiant_options_set_sealing(handle_.get(), kind, bytes_view(path).slice()));
    }
    /// One of AFFIANT_PLATFORM_...
    options &platform(affiant_platform kind) {
        return set(affiant_options_set_platform(handle_.get(), kind));
    }
    /// Serves HTTPS at an address, such as "127.0.0.1:0".
    options &listen(std::string_view address) {
        return set(affiant_options_listen(handle_.get(), bytes_view(address).slice()));
    }
    /// A name or address in the node's certificates.
    options &name(std::string_view name) {
        return set(affiant_options_add_name(handle_.get(), bytes_view(name).slice()));
    }
    options &signature_delay(timeout delay) {
        return set(
            affiant_options_set_signature_delay(handle_.get(), detail::milliseconds(delay)));
    }
    options &threads(std::uint32_t http, std::uint32_t executor) {
        return set(affiant_options_set_threads(handle_.get(), http, executor));
    }
    options &member(std::string_view certificate, std::string_view encryption_key = {},
                    std::string_view data_json = {}) {
        return set(affiant_options_add_member(handle_.get(), bytes_view(certificate).slice(),
                                              bytes_view(encryption_key).slice(),
                                              bytes_view(data_json).slice()));
    }
    options &user(std::string_view certificate, std::string_view data_json = {}) {
        return set(affiant_options_add_user(handle_.get(), bytes_view(certificate).slice(),
                                            bytes_view(data_json).slice()));
    }

    /// Adds an endpoint: `handler` is called as handler(const request &, transaction_ref &, reply &), on any thread and
    /// on several at once, and again when its transaction conflicts. What it throws becomes an answer with status 500.
    template <class Handler>
    options &endpoint(std::string_view method, std::string_view path, Handler &&handler,
                      const endpoint_options &wanted = endpoint_options()) {
        using held = std::decay_t<Handler>;
        std::vector<affiant_slice> policies;
        for (std::string_view policy : wanted.policies) {
            policies.push_back(bytes_view(policy).slice());
        }
        affiant_endpoint made = {};
        made.size = sizeof made;
        made.method = bytes_view(method).slice();
        made.path = bytes_view(path).slice();
        made.mode = wanted.mode;
        made.respond = wanted.respond;
        made.policies = policies.data();
        made.policy_count = policies.size();
        made.handler = detail::answer<held>;
        made.userdata = new held(std::forward<Handler>(handler));
        made.free_userdata = detail::discard<held>;
        // Freed by the library, also where it refuses the endpoint.
        return set(affiant_options_add_endpoint(handle_.get(), &made));
    }

    /// Starts a node. May be called several times.
    returns<runtime> open() {
        if (failed_) {
#ifdef AFFIANT_NO_EXCEPTIONS
            return *failed_;
#else
            throw *failed_;
#endif
        }
        affiant_runtime *made = nullptr;
        affiant_status status = affiant_runtime_open(handle_.get(), &made);
        return detail::finish<runtime>(status, handle_.get(), [&] { return runtime(made); });
    }

    affiant_options *handle() const noexcept { return handle_.get(); }

private:
    options &set(affiant_status status) {
        note(status, handle_.get());
        return *this;
    }
    void note(affiant_status status, const void *object) {
        if (status != AFFIANT_OK && !failed_) {
            failed_ = detail::failure(status, object);
        }
    }

    detail::owner<affiant_options, affiant_options_free> handle_;
    std::optional<error> failed_;
};

} // namespace affiant

#endif
