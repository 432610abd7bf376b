// The package's version, read where the bundler can see it.
import manifest from "../package.json" with { type: "json" };

export function version(): string {
  return manifest.version;
}
