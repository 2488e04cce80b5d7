// Takes an item type of the service; gives the words and the colour the page has for it.

const PLURALS: Record<string, string> = { Movie: "Movies", Music: "Music", Book: "Books" };

/** Items of this type, as a heading says it; a type the page does not know keeps its own name. */
export function typePlural(type: string): string {
  return PLURALS[type] ?? type;
}

/** Suffix of the colour's custom property, see styles/theme.css. */
export function typeTone(type: string): "movie" | "music" | "book" | "other" {
  const tone = type.toLowerCase();
  return tone === "movie" || tone === "music" || tone === "book" ? tone : "other";
}
