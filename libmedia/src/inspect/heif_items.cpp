#include "inspect/heif_items.hpp"

#include <algorithm>
#include <map>
#include <vector>

#include "inspect/orientation.hpp"

namespace media::inspect {
namespace {

struct Property {
  std::uint32_t type = 0;
  std::uint32_t width = 0;   ///< `ispe`
  std::uint32_t height = 0;  ///< `ispe`
  Turn turn;                 ///< `irot`, `imir`
  bool is_alpha = false;     ///< `auxC`
};

struct Item {
  std::uint32_t type = 0;  ///< 0 until `iinf` names it.
  bool has_data = false;   ///< `iloc` gives it at least one extent.
  std::vector<std::uint16_t> properties;
};

struct Reference {
  std::uint32_t type = 0;
  std::uint32_t from = 0;
  std::uint32_t to = 0;
};

bool is_coded_picture(std::uint32_t type) noexcept {
  return type == code("av01") || type == code("hvc1") || type == code("hev1") || type == code("jpeg") || type == code("avc1") ||
         type == code("j2k1") || type == code("vvc1");
}

bool is_derived_picture(std::uint32_t type) noexcept {
  return type == code("grid") || type == code("iovl") || type == code("iden") || type == code("tmap");
}

/// The decoder configuration without which a coded picture cannot be decoded; 0 where none is needed.
std::uint32_t configuration_of(std::uint32_t type) noexcept {
  switch (type) {
    case code("av01"):
      return code("av1C");
    case code("hvc1"):
    case code("hev1"):
      return code("hvcC");
    case code("avc1"):
      return code("avcC");
    default:
      return 0;
  }
}

class ItemsReader {
 public:
  ItemsReader(Cursor& cursor, MediaInfo& info) : cursor_(cursor), info_(info) {}

  Result<void> run(const Box& meta) {
    MEDIA_TRY(cursor_.skip(4, "the meta box"));
    MEDIA_TRY(for_each_box(cursor_, meta.end, [&](const Box& box) { return read_box(box); }));
    MEDIA_TRY(state_primary());
    MEDIA_TRY(check_alpha());
    return check_places();
  }

 private:
  Result<void> read_box(const Box& box) {
    switch (box.type) {
      case code("hdlr"):
        return read_handler(box);
      case code("pitm"):
        return read_primary();
      case code("iinf"):
        return read_infos(box);
      case code("iloc"):
        return read_locations();
      case code("iref"):
        return read_references(box);
      case code("iprp"):
        return read_properties(box);
      case code("idat"):
        idat_bytes_ = box.end - box.body;
        return {};
      default:
        return {};
    }
  }

  Result<std::uint8_t> take_version() {
    MEDIA_TRY_ASSIGN(const auto head, cursor_.take<4>("the version of a box"));
    flags_ = head.be32<0>() & 0xffffffU;
    return head.byte<0>();
  }

  /// A number of `width` bytes (0, 2, 4 or 8).
  Result<std::uint64_t> take_number(std::size_t width, std::string_view what) {
    if (width == 0) return std::uint64_t{0};
    MEDIA_TRY_ASSIGN(const Bytes bytes, cursor_.ahead(width, what));
    const std::uint64_t value = big(bytes, 0, width);
    MEDIA_TRY(cursor_.skip(width, what));
    return value;
  }

  Result<std::uint32_t> take_id(bool wide) {
    MEDIA_TRY_ASSIGN(const std::uint64_t id, take_number(wide ? 4 : 2, "an item's number"));
    return static_cast<std::uint32_t>(id);
  }

  Result<void> read_handler(const Box& box) {
    MEDIA_TRY_ASSIGN(const auto head, cursor_.take<12>("the handler"));
    if (head.be32<8>() != code("pict"))
      return corrupt_at("a picture file whose contents are said to be " + code_text(head.be32<8>()) + ",", box.begin);
    return {};
  }

  Result<void> read_primary() {
    MEDIA_TRY_ASSIGN(const std::uint8_t version, take_version());
    MEDIA_TRY_ASSIGN(primary_, take_id(version != 0));
    has_primary_ = true;
    return {};
  }

  Result<void> read_infos(const Box& box) {
    MEDIA_TRY_ASSIGN(const std::uint8_t version, take_version());
    MEDIA_TRY(cursor_.skip(version == 0 ? 2 : 4, "the list of items"));
    return for_each_box(cursor_, box.end, [&](const Box& entry) -> Result<void> {
      if (entry.type != code("infe")) return {};
      MEDIA_TRY_ASSIGN(const std::uint8_t entry_version, take_version());
      if (entry_version < 2) return {};  // names no item type: not a picture
      MEDIA_TRY_ASSIGN(const std::uint32_t id, take_id(entry_version > 2));
      MEDIA_TRY_ASSIGN(const auto rest, cursor_.take<6>("an item"));
      Item& item = items_[id];
      if (item.type != 0) return corrupt_at("an item that is listed twice,", entry.begin);
      item.type = rest.be32<2>();
      return {};
    });
  }

  Result<void> read_locations() {
    MEDIA_TRY_ASSIGN(const std::uint8_t version, take_version());
    if (version > 2) return corrupt_at("item locations of an unknown version", cursor_.position());
    MEDIA_TRY_ASSIGN(const auto sizes, cursor_.take<2>("the item locations"));
    const std::size_t offset_width = sizes.byte<0>() >> 4U;
    const std::size_t length_width = sizes.byte<0>() & 15U;
    const std::size_t base_width = sizes.byte<1>() >> 4U;
    const std::size_t index_width = version > 0 ? sizes.byte<1>() & 15U : 0;
    for (const std::size_t width : {offset_width, length_width, base_width, index_width}) {
      if (width != 0 && width != 4 && width != 8) return corrupt_at("item locations of an impossible width", cursor_.position());
    }
    MEDIA_TRY_ASSIGN(const std::uint32_t count, take_id(version == 2));
    for (std::uint32_t i = 0; i < count; ++i) {
      MEDIA_TRY(cursor_.step());
      MEDIA_TRY_ASSIGN(const std::uint32_t id, take_id(version == 2));
      std::uint32_t method = 0;
      if (version > 0) {
        MEDIA_TRY_ASSIGN(const auto construction, cursor_.take<2>("an item location"));
        method = construction.be16<0>() & 15U;
      }
      MEDIA_TRY_ASSIGN(const auto source, cursor_.take<2>("an item location"));
      MEDIA_TRY_ASSIGN(const std::uint64_t base, take_number(base_width, "an item location"));
      MEDIA_TRY_ASSIGN(const auto extents, cursor_.take<2>("an item location"));
      for (std::uint32_t extent = 0; extent < extents.be16<0>(); ++extent) {
        MEDIA_TRY(cursor_.step());
        MEDIA_TRY(cursor_.skip(index_width, "an item location"));
        MEDIA_TRY_ASSIGN(const std::uint64_t offset, take_number(offset_width, "an item location"));
        MEDIA_TRY_ASSIGN(const std::uint64_t length, take_number(length_width, "an item location"));
        items_[id].has_data = true;
        // Another file's bytes (source) and another item's (method 2) have no place here.
        if (source.be16<0>() == 0 && method < 2) note_extent(method, base, offset, length);
      }
    }
    return {};
  }

  void note_extent(std::uint32_t method, std::uint64_t base, std::uint64_t offset, std::uint64_t length) noexcept {
    std::uint64_t& furthest = method == 0 ? furthest_byte_ : furthest_idat_byte_;
    // A sum past 64 bits is past every end.
    const std::uint64_t begin = base > UINT64_MAX - offset ? UINT64_MAX : base + offset;
    furthest = std::max(furthest, begin > UINT64_MAX - length ? UINT64_MAX : begin + length);
  }

  Result<void> read_references(const Box& box) {
    MEDIA_TRY_ASSIGN(const std::uint8_t version, take_version());
    return for_each_box(cursor_, box.end, [&](const Box& reference) -> Result<void> {
      MEDIA_TRY_ASSIGN(const std::uint32_t from, take_id(version != 0));
      MEDIA_TRY_ASSIGN(const auto count, cursor_.take<2>("an item reference"));
      for (std::uint32_t i = 0; i < count.be16<0>(); ++i) {
        MEDIA_TRY(cursor_.step());
        MEDIA_TRY_ASSIGN(const std::uint32_t to, take_id(version != 0));
        references_.push_back({reference.type, from, to});
      }
      return {};
    });
  }

  Result<void> read_properties(const Box& box) {
    return for_each_box(cursor_, box.end, [&](const Box& inner) -> Result<void> {
      if (inner.type == code("ipma")) return read_associations(inner);
      if (inner.type != code("ipco")) return {};
      return for_each_box(cursor_, inner.end, [&](const Box& property) -> Result<void> {
        MEDIA_TRY_ASSIGN(const Property read, read_property(property));
        properties_.push_back(read);
        return {};
      });
    });
  }

  Result<Property> read_property(const Box& box) {
    Property property;
    property.type = box.type;
    if (box.type == code("ispe")) {
      MEDIA_TRY_ASSIGN(const auto size, cursor_.take<12>("a picture size"));
      property.width = size.be32<4>();
      property.height = size.be32<8>();
    } else if (box.type == code("irot")) {
      MEDIA_TRY_ASSIGN(const auto angle, cursor_.take<1>("a rotation"));
      for (int quarter = angle.byte<0>() & 3; quarter > 0; --quarter) property.turn = then(property.turn, kQuarterLeft);
    } else if (box.type == code("imir")) {
      MEDIA_TRY_ASSIGN(const auto axis, cursor_.take<1>("a mirroring"));
      property.turn = (axis.byte<0>() & 1U) == 0 ? kTopToBottom : kLeftToRight;
    } else if (box.type == code("auxC")) {
      MEDIA_TRY(cursor_.skip(4, "an auxiliary type"));
      MEDIA_TRY_ASSIGN(const Bytes urn, cursor_.some());
      property.is_alpha = has_text(urn, 0, "urn:mpeg:mpegB:cicp:systems:auxiliary:alpha") || has_text(urn, 0, "urn:mpeg:hevc:2015:auxid:1");
    }
    return property;
  }

  Result<void> read_associations(const Box& box) {
    MEDIA_TRY_ASSIGN(const std::uint8_t version, take_version());
    const bool wide_index = (flags_ & 1U) != 0;
    MEDIA_TRY_ASSIGN(const auto count, cursor_.take<4>("the property associations"));
    for (std::uint32_t i = 0; i < count.be32<0>(); ++i) {
      MEDIA_TRY(cursor_.step());
      MEDIA_TRY_ASSIGN(const std::uint32_t id, take_id(version > 0));
      MEDIA_TRY_ASSIGN(const auto number, cursor_.take<1>("a property association"));
      auto& indices = items_[id].properties;
      if (!indices.empty()) return corrupt_at("an item whose properties are given twice,", box.begin);
      for (int n = 0; n < number.byte<0>(); ++n) {
        MEDIA_TRY(cursor_.step());
        MEDIA_TRY_ASSIGN(const std::uint64_t index, take_number(wide_index ? 2 : 1, "a property association"));
        indices.push_back(static_cast<std::uint16_t>(index & (wide_index ? 0x7fffU : 0x7fU)));
      }
    }
    return {};
  }

  /// The item's property of this type, or null. Indices were checked.
  [[nodiscard]] const Property* property_of(const Item& item, std::uint32_t type) const noexcept {
    for (const std::uint16_t index : item.properties) {
      if (index != 0 && properties_[index - 1U].type == type) return &properties_[index - 1U];
    }
    return nullptr;
  }

  Result<void> check_indices() const {
    for (const auto& [id, item] : items_) {
      for (const std::uint16_t index : item.properties) {
        if (index > properties_.size()) return Error{Errc::corrupt, "item " + std::to_string(id) + " has a property that is not there"};
      }
    }
    return {};
  }

  /// A picture item can be decoded as far as the boxes tell.
  Result<void> check_picture(std::uint32_t id, int depth) {
    const auto found = items_.find(id);
    const std::string name = "item " + std::to_string(id);
    if (found == items_.end() || found->second.type == 0) return Error{Errc::corrupt, name + " is not in the list of items"};
    const Item& item = found->second;
    if (is_derived_picture(item.type)) {
      bool has_inputs = false;
      for (const Reference& reference : references_) {
        MEDIA_TRY(cursor_.step());  // references to pictures made of references: the work is their product
        if (reference.type != code("dimg") || reference.from != id) continue;
        has_inputs = true;
        // Nested derivations are legal and rare: two levels are looked at, a cycle ends there.
        if (depth < 2) MEDIA_TRY(check_picture(reference.to, depth + 1));
      }
      if (!has_inputs) return Error{Errc::corrupt, name + " is made of other pictures, and names none"};
      return {};
    }
    if (!is_coded_picture(item.type)) return Error{Errc::corrupt, name + " is no picture but " + code_text(item.type)};
    if (!item.has_data) return Error{Errc::corrupt, name + " has no data"};
    const std::uint32_t configuration = configuration_of(item.type);
    if (configuration != 0 && property_of(item, configuration) == nullptr) {
      return Error{Errc::corrupt, name + " lacks its decoder configuration (" + code_text(configuration) + ")"};
    }
    return {};
  }

  Result<void> state_primary() {
    if (!has_primary_) return Error{Errc::corrupt, "no picture is named as the primary one (pitm)"};
    MEDIA_TRY(check_indices());
    const auto found = items_.find(primary_);
    if (found == items_.end()) return Error{Errc::corrupt, "the primary picture is not in the list of items"};
    const Item& item = found->second;
    if (const Property* size = property_of(item, code("ispe")); size != nullptr) {
      info_.width = size->width;
      info_.height = size->height;
    }
    Turn turn;
    for (const std::uint16_t index : item.properties) {
      if (index != 0) turn = then(turn, properties_[index - 1U].turn);
    }
    info_.orientation = exif_number(turn);
    if (info_.width == 0 || info_.height == 0) return Error{Errc::corrupt, "the primary picture has no width or no height"};
    return check_picture(primary_, 0);
  }

  Result<void> check_alpha() {
    for (const Reference& reference : references_) {
      if (reference.type != code("auxl") || reference.to != primary_) continue;
      const auto found = items_.find(reference.from);
      if (found == items_.end()) continue;
      const Property* auxiliary = property_of(found->second, code("auxC"));
      if (auxiliary == nullptr || !auxiliary->is_alpha) continue;
      info_.has_alpha = true;
      MEDIA_TRY(check_picture(reference.from, 0));
    }
    return {};
  }

  Result<void> check_places() const {
    if (furthest_byte_ > cursor_.size()) {
      return Error{Errc::corrupt, "the content ends early: its items need " + std::to_string(furthest_byte_) + " bytes, it has " +
                                      std::to_string(cursor_.size())};
    }
    if (furthest_idat_byte_ > idat_bytes_) return Error{Errc::corrupt, "an item runs past the end of the item data box"};
    return {};
  }

  Cursor& cursor_;
  MediaInfo& info_;
  std::uint32_t flags_ = 0;
  bool has_primary_ = false;
  std::uint32_t primary_ = 0;
  std::map<std::uint32_t, Item> items_;
  std::vector<Property> properties_;
  std::vector<Reference> references_;
  std::uint64_t furthest_byte_ = 0;
  std::uint64_t furthest_idat_byte_ = 0;
  std::uint64_t idat_bytes_ = 0;
};

}  // namespace

Result<void> read_items(Cursor& cursor, const Box& meta, MediaInfo& info) { return ItemsReader(cursor, info).run(meta); }

}  // namespace media::inspect
