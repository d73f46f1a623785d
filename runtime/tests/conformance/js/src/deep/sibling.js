export default "sibling";
