// esptool-js ships one bundle beside its modules, without declarations of its own. The bundle is what is used: the modules import JSON
// with attributes, which Node 20 learned only in 20.10 and warns about.
declare module "esptool-js/bundle.js" {
  export * from "esptool-js";
}
