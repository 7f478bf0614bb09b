#include "derive_plan.hpp"

#include <filesystem>
#include <set>

#include "text.hpp"

namespace mediactl {
namespace {

media::Result<void> set_key(media::Transform& transform, std::string_view option, std::string_view key, const std::string& value) {
  if (auto set = media::set_transform_key(transform, key, value); !set) {
    return media::Error{media::Errc::invalid_argument, std::string(option) + ": " + set.error().message};
  }
  return {};
}

std::vector<std::string> pieces_of(const std::vector<std::string>& lists) {
  std::vector<std::string> pieces;
  for (const std::string& list : lists) {
    for (std::string& piece : split_list(list)) pieces.push_back(std::move(piece));
  }
  return pieces;
}

media::Result<std::vector<media::Format>> formats_of(const DeriveText& text) {
  std::vector<std::string> names = pieces_of(text.formats);
  if (names.empty() && !text.output.empty() && text.output != "-") {
    // The name of the one output says its format, as with every other converter.
    std::string extension = std::filesystem::path(text.output).extension().string();
    if (!extension.empty()) extension.erase(0, 1);
    if (media::format_from_name(extension) != media::Format::unknown) names.push_back(extension);
  }
  std::vector<media::Format> formats;
  if (names.empty()) formats.push_back(media::Transform{}.format);
  for (const std::string& name : names) {
    media::Transform checked;
    // "jpg" is as good as "jpeg"; which formats can be written the transform knows.
    const media::Format format = media::format_from_name(name);
    const std::string spelled(format == media::Format::unknown ? std::string_view(name) : media::to_string(format));
    MEDIA_TRY(set_key(checked, "--format", "format", spelled));
    formats.push_back(checked.format);
  }
  return formats;
}

media::Result<void> set_format(media::Transform& transform, media::Format format) {
  return set_key(transform, "--format", "format", std::string(media::to_string(format)));
}

media::Result<void> set_edits(media::Transform& transform, const DeriveText& text) {
  for (const KeyOption& edit : text.edits) {
    if (!edit.value.empty()) MEDIA_TRY(set_key(transform, edit.option, edit.key, edit.value));
  }
  return {};
}

/// What all outputs have in common.
media::Result<media::Transform> common_transform(const DeriveText& text) {
  media::Transform common;
  if (!text.height.empty()) MEDIA_TRY(set_key(common, "--height", "h", text.height));
  if (!text.fit.empty()) MEDIA_TRY(set_key(common, "--fit", "fit", text.fit));
  if (!text.quality.empty()) MEDIA_TRY(set_key(common, "-q", "q", text.quality));
  if (!text.background.empty()) {
    std::string colour = text.background;
    if (colour.starts_with('#')) colour.erase(0, 1);
    MEDIA_TRY(set_key(common, "--bg", "bg", colour));
  }
  if (!text.frames.empty()) MEDIA_TRY(set_key(common, "--frames", "frames", text.frames));
  common.enlarge = text.enlarge;
  MEDIA_TRY(set_edits(common, text));
  return common;
}

std::string size_part(const media::Transform& given) {
  const media::Transform transform = media::canonical(given);
  if (transform.width > 0) return std::to_string(transform.width);
  if (transform.height > 0) return "h" + std::to_string(transform.height);
  return "full";
}

media::Result<void> add_presets(const DeriveText& text, const media::Transform& common, std::vector<PlannedOutput>& outputs) {
  const std::vector<media::Preset> known = media::default_presets();
  for (const std::string& name : pieces_of(text.presets)) {
    const auto preset = std::find_if(known.begin(), known.end(), [&](const media::Preset& each) { return each.name == name; });
    if (preset == known.end()) {
      std::string names;
      for (const media::Preset& each : known) names += (names.empty() ? "" : ", ") + each.name;
      return media::Error{media::Errc::invalid_argument, "--preset: '" + printable(name) + "' is none of " + names};
    }
    std::vector<media::Format> formats = preset->formats;
    if (!text.formats.empty() || !text.output.empty()) {
      MEDIA_TRY_ASSIGN(formats, formats_of(text));
    }
    for (const media::Format format : formats) {
      media::Transform transform = preset->transform;
      transform.format = format;
      if (!text.quality.empty()) transform.quality = common.quality;
      if (common.background) transform.background = common.background;
      MEDIA_TRY(set_edits(transform, text));
      transform.frames = common.frames;
      outputs.push_back({transform, "-" + name + "." + std::string(media::file_extension(format))});
    }
  }
  return {};
}

}  // namespace

media::Result<std::vector<PlannedOutput>> plan_outputs(const DeriveText& text) {
  MEDIA_TRY_ASSIGN(const media::Transform common, common_transform(text));
  std::vector<PlannedOutput> outputs;
  MEDIA_TRY(add_presets(text, common, outputs));
  std::vector<std::string> widths = pieces_of(text.widths);
  if (widths.empty() && text.presets.empty()) widths.emplace_back();
  if (!widths.empty()) {
    MEDIA_TRY_ASSIGN(const auto formats, formats_of(text));
    for (const std::string& width : widths) {
      media::Transform sized = common;
      if (!text.widths.empty()) MEDIA_TRY(set_key(sized, "-w", "w", width));
      for (const media::Format format : formats) {
        MEDIA_TRY(set_format(sized, format));
        outputs.push_back({sized, "-" + size_part(sized) + "." + std::string(media::file_extension(format))});
      }
    }
  }
  std::set<std::string> seen;
  std::erase_if(outputs, [&](const PlannedOutput& output) { return !seen.insert(output.suffix).second; });
  if (!text.output.empty() && outputs.size() != 1) {
    return media::Error{media::Errc::invalid_argument,
                        "-o takes one picture, and these options ask for " + std::to_string(outputs.size()) + ": use --out-dir"};
  }
  return outputs;
}

std::string stem_of(const std::string& path) {
  std::filesystem::path name = std::filesystem::path(path).filename();
  return name.stem().string();
}

std::optional<std::string> OutputClaims::claim(const std::string& path, const std::string& operand) {
  const std::lock_guard lock(mutex_);
  const auto [entry, is_new] = owners_.emplace(path, operand);
  if (is_new) return std::nullopt;
  return entry->second;
}

}  // namespace mediactl
